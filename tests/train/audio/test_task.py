import json

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict
import numpy as np
import pytest

from takin_jax import weights
from takin_jax.config import build
from takin_jax.data.batches.motion_windows import WindowConfig
from takin_jax.data.faces.expressions import EXPRESSIONS
from takin_jax.models.hubert import Hubert, HubertConfig
from takin_jax.train import loop
from takin_jax.train.audio import figures
from takin_jax.train.audio.task import AudioTask
from takin_jax.train.release import export
from tests import tiny
from tests.data.fake_records import write_clip


@pytest.fixture
def config(tmp_path):
  records = tmp_path / 'records'
  write_clip(records, 'a', 'ann', frames=20, speech=True)
  write_clip(records, 'b', 'bob', frames=20, seed=1, emotion='happy')
  write_clip(records, 'v', 'val', 'val', frames=20, seed=2, speech=True)
  small = {'dim': 8, 'layers': 1, 'heads': 2, 'ffn_dim': 8, 'kernel': 3}
  small |= {'dropout': 0.0}  # it would take long to compile
  return ConfigDict(
    {
      'name': 'tiny',
      'stage': 'audio',
      'seed': 0,
      'data': {
        'records': str(records),
        'batch_size': 2,
        'min_frames': 5,
        'emotion_frames': 3,
        'speech_share': 0.5,
      },
      'model': {
        'speech': tiny.SPEECH | {'dropout': 0.0},
        'denoiser': {'speech': small, 'motion': small},
      },
      'diffusion': {'window': 10, 'prefix': 2, 'sample_steps': 2},
      'loss': {'terms': {'lips': 2.0}},
      'optim': {'lr': 1e-2, 'freeze': ('speech',)},
      'train': {'steps': 2, 'log_every': 1},
    }
  )


def test_trains_evaluates_and_exports(config, tmp_path):
  start = jax.jit(AudioTask(config).init)(jax.random.key(0))
  state = loop.run(config, tmp_path / 'run')
  changed = {
    group: any(
      np.any(a != b)
      for a, b in zip(
        jax.tree.leaves(start[group]),
        jax.tree.leaves(state.params[group]),
        strict=True,
      )
    )
    for group in start
  }
  assert changed == {
    'speech': False,
    'denoiser': True,
    'stats': False,
    'emotions': False,
  }
  lines = (tmp_path / 'run' / 'metrics.jsonl').read_text().splitlines()
  last = json.loads(lines[-1])
  assert {'eval/lips_r', 'eval/lips_r_best_lag'} <= last.keys()
  assert np.isfinite(list(last.values())).all()
  assert (tmp_path / 'run' / 'samples' / '0000002.png').exists()

  names = export.export([str(tmp_path / 'run')], tmp_path / 'weights')
  assert names == ['denoiser', 'emotions', 'speech', 'stats']
  exported, params = weights.load(tmp_path / 'weights')
  assert exported.diffusion.window == 10
  assert params['stats']['mean'].shape == (70,)
  assert params['emotions'].keys() == {'neutral', *EXPRESSIONS}


def test_loss_ignores_padding_and_dropped_sound(config):
  task = AudioTask(config)
  rng = np.random.default_rng(0)
  window = {
    'wave': rng.normal(size=(2, 6480)),
    'motion': rng.normal(size=(2, 10, 70)),
    'prefix': rng.normal(size=(2, 2, 70)),
    'emotion': rng.normal(size=(2, 63)),
    'source_kp': rng.normal(size=(2, 63)),
    'frame_mask': np.arange(10) < np.array([[10], [6]]),
    'prefix_mask': np.zeros((2, 2), bool),
    'drop_audio': np.array([False, True]),
  }

  @jax.jit
  def value(window, key):
    params = task.init(key)
    params['denoiser'] = jax.tree.map(  # the last layer starts at zero
      lambda x: x + 0.1 * jnp.cos(jnp.arange(x.size)).reshape(x.shape),
      params['denoiser'],
    )
    return task.loss(params, window, key, {}, train=False).loss

  def heard_before():
    params = jax.jit(AudioTask(config).init)(jax.random.key(0))
    hubert = Hubert(build(HubertConfig, config.model.speech))
    hear = jax.jit(lambda x: hubert.apply({'params': params['speech']}, x))
    states = np.moveaxis(hear(window['wave']), 0, 1).astype(np.float16)
    rest = {k: v for k, v in window.items() if k != 'wave'}
    return float(value({**rest, 'states': states}, jax.random.key(0)))

  def changed(name, part):
    x = window[name].copy()
    x[part] = 3 - 2 * x[part] ** 2
    return value({**window, name: x}, jax.random.key(0))

  same = pytest.approx(float(value(window, jax.random.key(0))), rel=1e-5)
  assert heard_before() == pytest.approx(same.expected, rel=1e-4)
  assert changed('motion', np.s_[1, 6:]) == same
  assert changed('wave', np.s_[1, 3000:]) == same.expected
  assert changed('prefix', np.s_[:]) == same
  assert changed('motion', np.s_[1, :6]) != same
  # An untrained denoiser hardly listens, but it does.
  assert changed('wave', np.s_[0, 3000:]) != same.expected


def test_fit_measures_correlation_and_slope():
  real = np.sin(np.arange(40).reshape(2, 20))
  mask = np.ones((2, 20), bool)
  mask[1, 15:] = False
  found = np.where(mask, 0.5 * real + 3, 100)
  fits = figures.fit(found, real, mask)
  np.testing.assert_allclose(fits[:, :2], [[1.0, 0.5]] * 2)
  np.testing.assert_allclose(
    figures.fit(-real, real, mask)[:, :2], [[-1.0, -1.0]] * 2
  )
  late = np.roll(real, 2, 1)
  r, _, best = figures.fit(late, real, np.ones((2, 20), bool)).T
  assert (r < 0.5).all() and (best > 0.99).all()
  flat = figures.fit(real, 0 * real, mask)
  assert np.isnan(flat).all()


def test_lip_gap_reads_the_inner_lips():
  motion = np.zeros((1, 70))
  motion[0, 3 * 5 + 1], motion[0, 3 * 4 + 1] = 0.3, 0.1
  np.testing.assert_allclose(figures.lip_gap(motion), [0.2])


def test_the_data_block_is_checked(config):
  config.data.batchsize = 3
  with pytest.raises(ValueError, match=WindowConfig.__name__):
    AudioTask(config).batches()
