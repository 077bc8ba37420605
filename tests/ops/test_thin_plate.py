import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.ops.grid_sample import center_grid
from takin_jax.ops.thin_plate import random_thin_plate

SIZE = 96


def _blob(centre: jax.Array) -> jax.Array:
  """[B, SIZE, SIZE, 1] Gaussians around [B, 2]."""
  offset = center_grid(SIZE, SIZE) - centre[:, None, None]
  return jnp.exp(-0.5 * jnp.square(offset / 0.08).sum(-1, keepdims=True))


def _middle(image: jax.Array) -> jax.Array:
  """[B, 2] mean place of the brightest part, too small to be bent."""
  image = image**16
  total = image.sum((1, 2))
  return (image * center_grid(SIZE, SIZE)).sum((1, 2)) / total


def test_a_warped_picture_shows_a_point_where_the_map_says():
  """What is seen at p in the warped picture was at T(p)."""
  places = jnp.array([[0.3, -0.2], [-0.4, 0.1], [0.0, 0.5], [0.5, 0.5]])
  plate = random_thin_plate(jax.random.key(0), 4)
  seen = _middle(plate.warp(_blob(places)))
  assert jnp.abs(seen - places).max() > 0.02  # it did move
  np.testing.assert_allclose(plate(seen[:, None])[:, 0], places, atol=2e-3)


def test_without_strength_nothing_moves():
  plate = random_thin_plate(jax.random.key(0), 2, affine=0.0, bend=0.0)
  image = jax.random.uniform(jax.random.key(1), (2, 16, 16, 3))
  np.testing.assert_allclose(plate.warp(image), image, atol=1e-5)
  assert jnp.abs(plate.warp(image, corners=True) - image).max() > 0.01
