import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.diffusion import motion
from takin_jax.models.denoiser import Conditions


def _conditions(prefix: jax.Array, seen: bool) -> Conditions:
  empty = jnp.zeros((1, 1))
  mask = jnp.full(prefix.shape[:2], seen)
  return Conditions(empty, empty, empty, prefix, mask)


def test_smoothing_keeps_constants_and_quiets_noise():
  flat = jnp.full((1, 30, 70), 0.7)
  conditions = _conditions(flat[:, :10], True)
  np.testing.assert_allclose(
    motion._smooth(flat, conditions, 1.5), flat, rtol=1e-5
  )
  noise = jax.random.normal(jax.random.key(0), flat.shape)
  smooth = motion._smooth(noise, _conditions(noise[:, :10], False), 1.5)
  assert smooth.std() < 0.6 * noise.std()


def test_smoothing_joins_the_frames_before():
  prefix = jnp.ones((1, 10, 70))
  x = jnp.zeros((1, 30, 70))
  joined = motion._smooth(x, _conditions(prefix, True), 1.5)[0, :, 0]
  assert joined[0] > 0.2 and joined[10] < 1e-3
  alone = motion._smooth(x, _conditions(prefix, False), 1.5)
  np.testing.assert_array_equal(alone, 0.0)
