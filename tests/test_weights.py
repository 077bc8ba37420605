import numpy as np
import pytest

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
  for size in (0, 20, len(data) - 1):
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
