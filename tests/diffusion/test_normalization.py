import numpy as np
import pytest

from takin_jax.diffusion.normalization import normalize, power, unnormalize

M = 12


@pytest.fixture
def stats():
  rng = np.random.default_rng(0)
  directions = np.linalg.qr(rng.normal(size=(M, M)))[0]
  length = rng.uniform(0.2, 3, (M, 1))
  return {
    'mean': rng.normal(size=M),
    'std': rng.uniform(0.5, 2, M),
    'mix': length * directions,
  }


def test_there_and_back(stats):
  motion = np.random.default_rng(1).normal(size=(2, 5, M))
  for known in (stats, {k: stats[k] for k in ('mean', 'std')}):
    back = unnormalize(known, normalize(known, motion))
    np.testing.assert_allclose(back, motion, rtol=1e-5, atol=1e-6)


def test_one_unit_moves_along_one_direction(stats):
  motion = unnormalize(stats, np.eye(M)) - stats['mean']
  np.testing.assert_allclose(motion / stats['std'], stats['mix'], rtol=1e-5)
  np.testing.assert_allclose(
    power(stats),
    np.square(motion / stats['std']).sum(1),
    rtol=1e-5,
  )
  assert power({'mean': 0, 'std': 1}) is None


def test_the_first_numbers_alone_are_only_scaled(stats):
  part = np.random.default_rng(2).normal(size=(3, 7))
  want = (part - stats['mean'][:7]) / stats['std'][:7]
  np.testing.assert_allclose(normalize(stats, part), want, rtol=1e-6)
