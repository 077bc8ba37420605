"""JoyVASA's and Ditto's checkpoints through the command."""

import argparse
import os
import pickle

import numpy as np
import pytest

from takin_jax import weights
from takin_jax.convert import __main__ as command
from takin_jax.convert import generators, sources
from takin_jax.convert.apply import ConvertError
from tests import golden_case

torch = pytest.importorskip('torch')
pytestmark = pytest.mark.torch

JOYVASA, DITTO = (
  golden_case.load(f'motion_generators/{name}_tiny')
  for name in ('joyvasa', 'ditto')
)


def tensors(case, **changes):
  state = {k: torch.from_numpy(v) for k, v in case.weights.items()}
  return {**state, **changes}


def template(**changes):
  rng = np.random.default_rng(0)
  arrays = {'mean_exp': rng.normal(size=63), 'std_exp': np.full(63, 0.5)}
  for name, size in (('scale', 1), ('t', 3), ('pitch', 1)):
    arrays |= {f'min_{name}': -np.ones(size), f'max_{name}': np.full(size, 2.0)}
  for name in ('yaw', 'roll'):
    arrays |= {f'min_{name}': np.float32(-3), f'max_{name}': np.float64(4)}
  return {**arrays, **changes}


@pytest.fixture
def joyvasa(tmp_path):
  """A folder as JoyVASA publishes it, with a small model."""
  folder = tmp_path / 'JoyVASA'
  (folder / 'motion_generator').mkdir(parents=True)
  (folder / 'motion_template').mkdir()
  args = argparse.Namespace(n_motions=12, n_layers=99, audio_model='hubert')
  buffer = torch.zeros(12, 12, dtype=torch.bool)
  state = tensors(JOYVASA, **{'denoising_net.alignment_mask': buffer})
  file = folder / 'motion_generator' / 'a.pt'
  torch.save({'args': args, 'model': state}, file)
  path = folder / 'motion_template' / 'motion_template.pkl'
  path.write_bytes(pickle.dumps(template()))
  return folder


@pytest.fixture
def ditto(tmp_path):
  path = tmp_path / 'lmdm_v0.4_hubert.pth'
  torch.save({'model_state_dict': tensors(DITTO)}, path)
  return path


def refused(model, source, tmp_path, capsys) -> str:
  assert command.main([model, str(source), '--out', str(tmp_path / 'w')]) == 2
  error = capsys.readouterr().err
  assert error.count('\n') == 1 and not (tmp_path / 'w').exists()
  return error


def test_joyvasa(joyvasa, tmp_path):
  out = tmp_path / 'w'
  for source in (joyvasa, joyvasa / 'motion_generator' / 'a.pt'):
    assert command.main(['joyvasa', str(source), '--out', str(out)]) == 0
  config, params = weights.load(out)
  assert config.model.denoiser.kind == 'joyvasa'
  assert config.model.denoiser.layers == 2  # not what the arguments say
  assert params['denoiser']['start_motion'].shape == (4, 70)
  mean, std = params['stats']['mean'], params['stats']['std']
  np.testing.assert_allclose(mean[63:], [-1, -1, -1, -1, -1, -3, -3])
  np.testing.assert_allclose(std[62:], [0.5, 3, 3, 3, 3, 3, 7, 7])


def test_ditto(ditto, tmp_path, capsys):
  out = tmp_path / 'w'
  for source in (ditto, ditto.parent):
    assert command.main(['ditto', str(source), '--out', str(out)]) == 0
  config, params = weights.load(out)
  assert config.model.denoiser.kind == 'ditto'
  assert config.model.denoiser.cond_dim == 143
  assert params['denoiser']['null_tokens'].shape == (16, 32)
  assert command.main(['ditto', str(ditto), '--dry-run']) == 0
  shown = capsys.readouterr().out
  for key in DITTO.weights:
    assert f' {key} ' in shown


def test_a_missing_and_a_strange_tensor(ditto, tmp_path, capsys):
  state = tensors(DITTO, strange=torch.zeros(3))
  del state['norm_cond.bias']
  torch.save({'model_state_dict': state}, ditto)
  error = refused('ditto', ditto, tmp_path, capsys)
  assert 'strange [3] is unknown' in error
  assert 'nothing fills token_norm/bias' in error


@pytest.mark.parametrize('model', ['joyvasa', 'ditto'])
def test_a_checkpoint_of_something_else(model, tmp_path, capsys):
  path = tmp_path / 'x.pt'
  (tmp_path / 'motion_template.pkl').write_bytes(pickle.dumps(template()))
  for tree in ({'a': torch.zeros(3)}, [1], {'model_state_dict': {}}):
    torch.save(tree, path)
    assert 'x.pt' in refused(model, path, tmp_path, capsys) or tree != [1]


def test_joyvasa_without_its_statistics(joyvasa, tmp_path, capsys):
  path = joyvasa / 'motion_template' / 'motion_template.pkl'
  for change in ({'min_t': np.zeros(2)}, {'std_exp': None}):
    path.write_bytes(pickle.dumps(template(**change)))
    refused('joyvasa', joyvasa, tmp_path, capsys)
  path.unlink()
  error = refused('joyvasa', joyvasa, tmp_path, capsys)
  assert 'motion_template.pkl' in error


def test_ditto_compiled_and_missing(tmp_path, capsys):
  for name in ('lmdm.onnx', 'lmdm.engine'):
    error = refused('ditto', tmp_path / name, tmp_path, capsys)
    assert 'compiled network' in error
  assert 'has none' in refused('ditto', tmp_path, tmp_path, capsys)
  error = refused('ditto', tmp_path / 'x.pth', tmp_path, capsys)
  assert 'no file or folder' in error


class Runs:
  """Unpickling it makes a folder."""

  def __init__(self, folder):
    self._folder = folder

  def __reduce__(self):
    return os.mkdir, (str(self._folder),)


def test_no_code_of_pickles_runs(joyvasa, tmp_path, capsys):
  evil = Runs(tmp_path / 'ran')
  path = joyvasa / 'motion_template' / 'motion_template.pkl'
  for tree in (evil, template(min_t=evil), {'x': np.array([evil])}):
    path.write_bytes(pickle.dumps(tree))
    assert 'refused' in refused('joyvasa', joyvasa, tmp_path, capsys)
  args = argparse.Namespace(n_motions=12, more=evil)
  torch.save(
    {'args': args, 'model': tensors(JOYVASA)},
    joyvasa / 'motion_generator' / 'a.pt',
  )
  path.write_bytes(pickle.dumps(template()))
  assert 'any code' in refused('joyvasa', joyvasa, tmp_path, capsys)
  assert not (tmp_path / 'ran').exists()


@pytest.mark.parametrize('protocol', range(6))
def test_arrays_of_all_protocols_are_read(tmp_path, protocol):
  path, arrays = tmp_path / 'a.pkl', template()
  path.write_bytes(pickle.dumps(arrays, protocol))
  read = sources.read_pickled_arrays(path)
  assert read.keys() == arrays.keys()
  np.testing.assert_allclose(read['mean_exp'], arrays['mean_exp'], rtol=1e-6)
  data = path.read_bytes()
  for size in range(0, len(data) - 1, 101):
    path.write_bytes(data[:size])
    with pytest.raises(ConvertError):
      sources.read_pickled_arrays(path)


def test_sizes_are_read_off_the_tensors():
  cfg = generators.joyvasa_config(JOYVASA.weights, 12)
  assert (cfg.dim, cfg.layers, cfg.prefix, cfg.speech_dim) == (32, 2, 4, 48)
  cfg = generators.ditto_config(DITTO.weights, 4)
  assert (cfg.dim, cfg.layers, cfg.ffn_dim, cfg.window) == (32, 2, 64, 16)
