import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.diffusion import motion

KNOWN = jnp.ones((1, 10, 1), bool)


def test_smoothing_keeps_constants_and_quiets_noise():
  flat = jnp.full((1, 30, 70), 0.7)
  got = motion._smooth(flat, flat[:, :10], KNOWN, 1.5)
  np.testing.assert_allclose(got, flat, rtol=1e-5)
  noise = jax.random.normal(jax.random.key(0), flat.shape)
  smooth = motion._smooth(noise, noise[:, :10], ~KNOWN, 1.5)
  assert smooth.std() < 0.6 * noise.std()


def test_smoothing_joins_the_frames_before():
  prefix = jnp.ones((1, 10, 70))
  x = jnp.zeros((1, 30, 70))
  joined = motion._smooth(x, prefix, KNOWN, 1.5)[0, :, 0]
  assert joined[0] > 0.2 and joined[10] < 1e-3
  alone = motion._smooth(x, prefix, ~KNOWN, 1.5)
  np.testing.assert_array_equal(alone, 0.0)
