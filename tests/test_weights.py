import json

import numpy as np
import pytest
from safetensors import numpy as safetensors

from takin_jax import weights


@pytest.fixture
def params():
  rng = np.random.default_rng(0)
  kernel = rng.normal(size=(3, 4)).astype(np.float16).astype(np.float32)
  return {
    'motion': {'dense': {'kernel': kernel}},
    'stats': {'mean': np.zeros(70, np.float32)},
  }


def test_round_trip(tmp_path, params):
  config = {'model': {'motion': {'widths': (1, 2)}}}
  weights.save(tmp_path / 'a' / 'b', config, params)
  got_config, got = weights.load(tmp_path / 'a' / 'b')
  assert got_config.to_dict() == config
  assert got.keys() == params.keys()
  kernel = got['motion']['dense']['kernel']
  assert kernel.dtype == np.float32
  np.testing.assert_array_equal(kernel, params['motion']['dense']['kernel'])
  size = (tmp_path / 'a' / 'b' / weights.PARAMS_FILE).stat().st_size
  assert size < 2 * (12 + 70) + 500


def test_errors_are_one_sentence(tmp_path, params):
  with pytest.raises(weights.WeightsError, match='no weights folder.*nano'):
    weights.load(tmp_path / 'missing')
  weights.save(tmp_path, {}, params)
  path = tmp_path / weights.PARAMS_FILE
  data = path.read_bytes()
  for size in (20, len(data) - 1):
    path.write_bytes(data[:size])
    with pytest.raises(weights.WeightsError, match='damaged or truncated'):
      weights.load(tmp_path)
  path.unlink()
  with pytest.raises(weights.WeightsError, match='has no params.safetensors'):
    weights.load(tmp_path)
  path.write_bytes(data)
  (tmp_path / weights.CONFIG_FILE).write_text('{')
  with pytest.raises(weights.WeightsError, match='not JSON'):
    weights.load(tmp_path)


def test_values_beyond_float16_are_refused(tmp_path):
  with pytest.raises(weights.WeightsError, match='stats/mean'):
    weights.save(tmp_path, {}, {'stats': {'mean': np.array([1e6])}})


def change_file(folder, name, change):
  """Rewrites config.json or the arrays of a folder, unchecked."""
  if name == 'config':
    path = folder / weights.CONFIG_FILE
    block = json.loads(path.read_text())
    path.write_text(json.dumps(change(block) or block))
  else:
    path = folder / weights.PARAMS_FILE
    arrays = safetensors.load_file(path)
    change(arrays)
    safetensors.save_file(arrays, path)


def put(*path, value):
  """A function that sets a value in a block."""

  def change(block):
    for key in path[:-1]:
      block = block[key]
    block[path[-1]] = value

  return change


@pytest.fixture
def folder(tmp_path, params):
  config = {
    'name': 'x',
    'model': {'motion': {'widths': (1, 2), 'layers': 1}},
    'diffusion': {'steps': 10},
  }
  params['stats']['std'] = np.ones(70, np.float32)
  weights.save(tmp_path / 'w', config, params)
  return tmp_path / 'w'


KERNEL = 'motion/dense/kernel'


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    (put(KERNEL, value=np.full(3, np.nan, np.float16)), 'not finite'),
    (put(KERNEL, value=np.full(3, np.inf, np.float32)), 'not finite'),
    (put(KERNEL, value=np.full(3, 1e39)), 'not finite'),
    (put(KERNEL, value=np.ones(3, np.int32)), 'whole numbers'),
    (put('motion/dense', value=np.ones(3, np.float16)), 'parameter and group'),
    (put('', value=np.ones(3, np.float16)), 'no name'),
    (put('motion//x', value=np.ones(3, np.float16)), 'no name'),
    (put('stats/mean', value=np.array(1.0)), r'stats/mean has shape \(\)'),
    (put('stats/std', value=np.ones(3)), 'stats/std has shape'),
    (put('stats/std', value=np.zeros(70)), 'not positive'),
    (lambda arrays: arrays.clear(), 'no parameters'),
  ],
)
def test_arrays_that_no_network_has(folder, change, message):
  change_file(folder, 'params', change)
  with pytest.raises(weights.WeightsError, match=message) as error:
    weights.load(folder)
  assert str(folder) in str(error.value)


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    (lambda block: [1, 2], 'no JSON object'),
    (lambda block: 'x', 'no JSON object'),
    (put('name', value=[1]), 'no text'),
    (put('model', value=[1]), 'model in config.json'),
    (put('model', value=None), 'model in config.json'),
    (put('diffusion', value=5), 'diffusion in config.json'),
    (put('diffusion', 'guidance', value=float('nan')), 'no finite'),
    (put('model', 'motion', 'layers', value=10**9), 'layers in config.json'),
    (put('model', 'motion', 'layers', value=2), 'only 1 arrays'),
    (put('model', 'motion', 'dim', value=-1), 'from 0 to'),
    (put('model', 'motion', 'widths', value=[1] * 1000), 'lists 1000'),
  ],
)
def test_configs_that_no_weights_have(folder, change, message):
  change_file(folder, 'config', change)
  with pytest.raises(weights.WeightsError, match=message):
    weights.load(folder)


def test_json_that_is_nested_too_deeply(folder):
  text = '{"a":' * 5000 + '1' + '}' * 5000
  (folder / weights.CONFIG_FILE).write_text(text)
  with pytest.raises(weights.WeightsError, match='too deeply'):
    weights.load(folder)


@pytest.mark.parametrize('name', [weights.CONFIG_FILE, weights.PARAMS_FILE])
@pytest.mark.parametrize(
  ('data', 'message'),
  [
    (b'version https://git-lfs.github.com/spec/v1\noid sha256:0\n', 'LFS'),
    (b'\n <!DOCTYPE html><html>404</html>', 'web page'),
    (b'<HTML><body>', 'web page'),
    (b'', 'empty file'),
  ],
)
def test_failed_downloads_are_called_what_they_are(folder, name, data, message):
  (folder / name).write_bytes(data)
  with pytest.raises(weights.WeightsError, match=f'{name} is .*{message}'):
    weights.load(folder)
