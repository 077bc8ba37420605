import numpy as np
import pytest

from takin_jax import weights
from takin_jax.train import checkpoint, loop
from takin_jax.train.release import export
from tests.train import toy_task


def test_export_merges_runs_and_keeps_what_is_there(tmp_path):
  first, second = toy_task.toy_config(), toy_task.toy_config(steps=2)
  first.data.crop = {'scale': 1.7}
  a = loop.run(first, tmp_path / 'a')
  b = loop.run(second, tmp_path / 'b')
  out = tmp_path / 'weights'
  export.export([str(tmp_path / 'a')], out, ['linear', 'stats'])
  (out / 'MODEL_CARD.md').write_text('card')
  names = export.export([str(tmp_path / 'b')], out, ['head'])
  assert names == ['head', 'linear', 'stats']
  config, params = weights.load(out)
  assert config.model.linear.width == 4
  assert config.data.crop.scale == 1.7
  want = np.asarray(a.ema['linear']['kernel'], np.float16)
  np.testing.assert_array_equal(params['linear']['kernel'], want)
  want = np.asarray(b.ema['head']['bias'], np.float16)
  np.testing.assert_array_equal(params['head']['bias'], want)
  assert (out / 'MODEL_CARD.md').exists()


def test_the_mean_of_runs(tmp_path):
  folders = [str(tmp_path / name) for name in 'abc']
  states = [
    loop.run(toy_task.toy_config(steps=2 + 10 * i), folder)
    for i, folder in enumerate(folders)
  ]
  export.export(folders, tmp_path / 'weights', ['linear'], mean=True)
  found = weights.load(tmp_path / 'weights')[1]['linear']['kernel']
  kernels = [state.ema['linear']['kernel'] for state in states]
  np.testing.assert_allclose(found, np.mean(kernels, 0), rtol=2e-3)
  assert not np.allclose(found, kernels[-1], rtol=1e-2)  # they differ


def test_no_mean_of_different_sizes(tmp_path, monkeypatch):
  sizes = iter((3, 4))
  monkeypatch.setattr(
    export, 'load_groups', lambda run: {'linear': np.ones(next(sizes))}
  )
  monkeypatch.setattr(
    export.checkpoint, 'read_config', lambda run: toy_task.toy_config()
  )
  with pytest.raises(ValueError, match='linear of b is not of the same size'):
    export.export(['a', 'b'], tmp_path / 'out', mean=True)
  assert not (tmp_path / 'out').exists()


def test_export_says_what_is_missing(config, tmp_path, capsys):
  with pytest.raises(checkpoint.WorkdirError, match='holds no training run'):
    export.export([str(tmp_path)], tmp_path / 'weights')
  loop.run(config, tmp_path / 'run')
  args = [str(tmp_path / 'run'), '--out', str(tmp_path / 'w')]
  assert export.main([*args, '--groups', 'nose']) == 2
  assert 'nose' in capsys.readouterr().err
  assert not (tmp_path / 'w').exists()


def test_the_discriminator_and_its_statistics_stay_at_home(
  tmp_path, monkeypatch
):
  leaf = {'kernel': np.ones(2, np.float32)}
  params = {'generator': leaf, 'discriminator': leaf}
  stats = {name: {'u': leaf['kernel']} for name in params}
  config = toy_task.toy_config()
  config.model = {'generator': {'channels': 2}, 'discriminator': {'x': 1}}
  monkeypatch.setattr(checkpoint, 'read_config', lambda run: config)
  monkeypatch.setattr(
    export, 'load_groups', lambda run: {**params, 'batch_stats': stats}
  )
  assert export.export(['run'], tmp_path) == ['batch_stats', 'generator']
  saved, groups = weights.load(tmp_path)
  assert groups['batch_stats'].keys() == {'generator'}
  assert 'discriminator' not in saved.model
  del stats['generator']
  assert export.export(['run'], tmp_path / 'plain') == ['generator']
