import jax
import jax.numpy as jnp
from ml_collections import ConfigDict
import numpy as np
import pytest

from takin_jax import weights
from takin_jax.config import build
from takin_jax.data import records
from takin_jax.data.batches import motion_clips, motion_windows
from takin_jax.data.batches.motion_windows import WindowConfig, WindowSource
from takin_jax.data.records import RecordsError, motion_cache
from takin_jax.models.hubert import Hubert, HubertConfig
from takin_jax.models.motion import MotionConfig, MotionExtractor
from takin_jax.train.audio import evaluate as audio_eval
from takin_jax.train.audio import extract
from takin_jax.train.audio.task import AudioTask
from tests import tiny
from tests.data.fake_records import write_clip

WINDOW = 10
MOTION = dict(input_size=32, num_points=24, widths=(8, 8, 16, 16), hidden=16)


def _random(shapes):
  rng = np.random.default_rng(0)
  return jax.tree.map(lambda x: 0.1 * rng.normal(size=x.shape), shapes)


@pytest.fixture
def folder(tmp_path):
  """Records and weights."""
  clips = tmp_path / 'records'
  write_clip(clips, 'a', 'ann', frames=24, speech=True)
  write_clip(clips, 'b', 'ann', frames=20, seed=1)
  write_clip(clips, 'v', 'val', 'val', frames=20, seed=2, speech=True)
  hubert = Hubert(build(HubertConfig, tiny.SPEECH))
  look = MotionExtractor(build(MotionConfig, MOTION))
  inputs = {
    'speech': (hubert, jnp.zeros((1, 800))),
    'motion': (look, jnp.zeros((1, 32, 32, 3))),
  }
  params = {
    name: _random(jax.eval_shape(net.init, jax.random.key(0), x)['params'])
    for name, (net, x) in inputs.items()
  }
  config = {'name': 'tiny', 'model': {'speech': tiny.SPEECH, 'motion': MOTION}}
  weights.save(tmp_path / 'weights', config, params, np.float32)
  return tmp_path


def _arguments(folder, *more):
  given = ['--records', 'records', '--out', 'cache', '--window', str(WINDOW)]
  given += ['--hop', '8', '--batch-size', '2', '--speech', 'weights', *more]
  return [
    str(folder / x) if x in ('records', 'cache', 'weights') else x
    for x in given
  ]


def test_states_are_what_the_encoder_hears(folder):
  assert extract.main(_arguments(folder)) == 0
  (clip, quiet) = motion_clips.load_clips(
    folder / 'records', cached=str(folder / 'cache')
  )
  assert clip.starts.tolist() == [0, 8, 16] and not len(quiet.starts)
  states = motion_cache.States(folder / 'cache', {'a': 3, 'b': 0})
  hubert = Hubert(build(HubertConfig, tiny.SPEECH))
  params = weights.load(folder / 'weights')[1]['speech']
  hear = jax.jit(lambda wave: hubert.apply({'params': params}, wave))
  for number, start in enumerate((0, 8, 16)):
    sample = motion_windows.cut(clip, start, WINDOW, 2, 3)
    want = hear(sample['wave'][None])[:, 0]
    got = states('a', number)
    assert got.shape == want.shape and got.dtype == np.float16
    np.testing.assert_allclose(got, want, atol=2e-3)


def test_goes_on_where_it_was_and_shares_the_work(folder, capsys):
  for shard, done in (('0/2', 2), ('1/2', 1), ('0/1', 0)):
    assert extract.main(_arguments(folder, '--shard', shard)) == 0
    assert f'{done} clips done now' in capsys.readouterr().out
  path = motion_cache.clip_path(folder / 'cache', 'a')
  whole = path.read_bytes()
  path.unlink()
  with pytest.raises(RecordsError, match='no clip a'):
    motion_clips.load_clips(folder / 'records', cached=str(folder / 'cache'))
  assert extract.main(_arguments(folder)) == 0
  assert path.read_bytes() == whole
  assert extract.main([*_arguments(folder), '--hop', '3', '--window', '9']) == 2
  assert 'other settings' in capsys.readouterr().err
  for bad in (['--shard', '2/2'], ['--batch-size', '0'], ['--speech', '']):
    assert extract.main([*_arguments(folder), *bad]) == 2
    assert capsys.readouterr().err.count('\n') == 1
  with pytest.raises(RecordsError, match='is no cache'):
    motion_cache.read_facts(folder)


def test_training_reads_states_and_latents(folder):
  motion = ['--motion', str(folder / 'weights')]
  assert extract.main([*_arguments(folder), *motion]) == 0
  data = {'records': str(folder / 'records'), 'cache': str(folder / 'cache')}
  data |= {'min_frames': 5, 'batch_size': 2, 'flip': 0.0}
  config = ConfigDict(
    {
      'seed': 0,
      'data': data,
      'model': {'speech': tiny.SPEECH, 'denoiser': {}},
      'diffusion': {'window': WINDOW, 'prefix': 2},
      'optim': {'freeze': ('speech',)},
    }
  )
  batch = next(AudioTask(config).batches())
  assert 'wave' not in batch
  assert batch['states'].shape == (2, 2, 2 * WINDOW, 8)
  assert batch['states'].dtype == np.float16

  source = WindowSource(build(WindowConfig, data), WINDOW, 2, 0)
  samples = [source[i] for i in range(12)]
  silent = [not np.any(sample['states']) for sample in samples]
  assert silent == [bool(sample['drop_audio']) for sample in samples]
  assert any(silent) and not all(silent)

  head = motion_cache.read_head(folder / 'cache', 'a')
  found = motion_clips.load_clips(folder / 'records', cached=data['cache'])
  np.testing.assert_allclose(
    found[0].motion[2:, :63], head['exp'].reshape(24, -1)[2:], atol=1e-5
  )
  np.testing.assert_array_equal(found[0].kp, found[1].kp)  # one person
  path = motion_cache.clip_path(folder / 'records', 'a')
  image = records.Frames([path], [24], 32)(0, 7)[None] / np.float32(255)
  params = weights.load(folder / 'weights')[1]['motion']
  module = MotionExtractor(build(MotionConfig, MOTION))
  kp, motion = jax.jit(module.apply)({'params': params}, image)
  for key, want in (('kp', kp), ('exp', motion.exp), ('pose', motion.pose_deg)):
    np.testing.assert_allclose(head[key][7], want[0], atol=1e-4)


def test_a_cache_must_fit_the_run(folder):
  assert extract.main(_arguments(folder)) == 0
  config = ConfigDict(
    {
      'seed': 0,
      'data': {
        'records': str(folder / 'records'),
        'cache': str(folder / 'cache'),
      },
      'model': {'speech': tiny.SPEECH, 'denoiser': {}},
      'diffusion': {'window': WINDOW},
      'optim': {'freeze': ()},
    }
  )
  with pytest.raises(ValueError, match='optim.freeze'):
    AudioTask(config).batches()
  config.optim.freeze = ('speech',)
  config.diffusion.window = WINDOW + 1
  with pytest.raises(ValueError, match='extract again'):
    AudioTask(config).batches()
  config.diffusion.window = WINDOW
  config.model.speech.dim = 16
  with pytest.raises(ValueError, match='extract again'):
    AudioTask(config).batches()


def test_evaluation_notices_another_encoder(folder):
  assert extract.main(_arguments(folder)) == 0
  data = {
    'records': str(folder / 'records'),
    'cache': str(folder / 'cache'),
  }
  config = ConfigDict({'data': data, 'model': {'speech': tiny.SPEECH}})
  params = weights.load(folder / 'weights')[1]
  audio_eval.check_states(config, params)
  params['speech'] = jax.tree.map(lambda x: -x, params['speech'])
  with pytest.raises(ValueError, match='extract them again'):
    audio_eval.check_states(config, params)
