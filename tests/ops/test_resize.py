import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.ops.resize import binomial_blur


def test_blur_keeps_what_is_smooth_and_takes_a_grid_away():
  ramp = jnp.arange(8.0)[None, :, None, None] + jnp.zeros((1, 8, 6, 3))
  inner = binomial_blur(ramp)[:, 1:-1]
  np.testing.assert_allclose(inner, ramp[:, 1:-1], rtol=1e-6)
  grid = (-1.0) ** (jnp.arange(8)[:, None] + jnp.arange(6))
  assert jnp.abs(binomial_blur(grid[None, ..., None])[:, 1:-1, 1:-1]).max() == 0
  constant = jnp.full((1, 4, 4, 1), 0.7)
  np.testing.assert_allclose(binomial_blur(constant), constant, rtol=1e-6)


def test_blur_is_separable_and_symmetric():
  image = jax.random.uniform(jax.random.key(0), (1, 5, 7, 2))
  turned = binomial_blur(image.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)
  np.testing.assert_allclose(binomial_blur(image), turned, rtol=1e-5)
