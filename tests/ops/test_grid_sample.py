import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax.ops import grid_sample as gs
from takin_jax.ops import resize


@pytest.mark.parametrize('sizes', [(5, 7), (3, 5, 7)])
def test_center_grid_is_the_identity(sizes):
  volume = jax.random.normal(jax.random.key(0), (2, *sizes, 4))
  grid = jnp.broadcast_to(gs.center_grid(*sizes), (2, *sizes, len(sizes)))
  np.testing.assert_allclose(gs.grid_sample(volume, grid), volume, atol=1e-5)


@pytest.mark.parametrize('sizes', [(5, 7), (3, 5, 7)])
def test_corner_grid_is_the_identity_with_aligned_corners(sizes):
  volume = jax.random.normal(jax.random.key(0), (2, *sizes, 4))
  grid = jnp.broadcast_to(gs.corner_grid(*sizes), (2, *sizes, len(sizes)))
  out = gs.grid_sample(volume, grid, align_corners=True)
  np.testing.assert_allclose(out, volume, atol=1e-5)


def test_outside_is_zero_or_the_edge():
  image = jnp.ones((1, 4, 4, 1))
  grid = jnp.array([[[[-3.0, 0.0], [0.0, 1e9]]]])
  assert not gs.grid_sample(image, grid).any()
  np.testing.assert_array_equal(gs.grid_sample(image, grid, border=True), 1.0)


def test_shift_matrix_equals_sampling_a_shifted_grid():
  image = jax.random.normal(jax.random.key(1), (1, 8, 6, 3))
  shift = jnp.array([0.13, -0.4])
  grid = gs.center_grid(8, 6)[None] + shift
  want = gs.grid_sample(image, grid, border=True)
  got = jnp.einsum(
    'yi,xj,bijc->byxc',
    gs.shift_matrix(shift[1], 8),
    gs.shift_matrix(shift[0], 6),
    image,
  )
  np.testing.assert_allclose(got, want, atol=1e-5)


def test_pixel_shuffle_and_unshuffle():
  x = jax.random.normal(jax.random.key(2), (2, 4, 6, 8))
  y = resize.pixel_shuffle(x, 2)
  assert y.shape == (2, 8, 12, 2)
  # out[c, 2h + i, 2w + j] = in[c 4 + i 2 + j, h, w]
  np.testing.assert_array_equal(y[1, 5, 2, 1], x[1, 2, 1, 1 * 4 + 1 * 2 + 0])
  patches = resize.pixel_unshuffle(y, 2)
  np.testing.assert_array_equal(patches[0, 0, 0, :2], y[0, 0, 0])
  np.testing.assert_array_equal(patches[0, 0, 0, 6:], y[0, 1, 1])


def test_resampling_keeps_constants_and_means():
  x = jax.random.normal(jax.random.key(3), (1, 8, 8, 2))
  np.testing.assert_allclose(
    resize.avg_pool(resize.nearest_upsample(x, 2), 2), x, atol=1e-6
  )
  np.testing.assert_allclose(
    resize.bilinear_upsample(jnp.full((1, 4, 4, 1), 0.3), 4), 0.3, atol=1e-6
  )
  ramp = jnp.arange(4.0).reshape(1, 1, 4, 1)
  big = resize.bilinear_upsample(jnp.repeat(ramp, 4, 1), 2)[0, 0, :, 0]
  np.testing.assert_allclose(
    big, [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3], atol=1e-6
  )


def test_shifted_samples_are_those_of_the_shifted_grids():
  volume = jax.random.normal(jax.random.key(0), (2, 3, 5, 7, 4))
  shift = jax.random.uniform(jax.random.key(1), (2, 6, 3), minval=-2.5)

  def plain(volume, shift):
    grids = gs.corner_grid(3, 5, 7) + shift[:, :, None, None, None]
    return gs.grid_sample(volume, grids)

  def gradients(sample):
    def total(volume, shift):
      return jnp.sin(sample(volume, shift)).sum()

    return jax.jit(jax.grad(total, (0, 1)))(volume, shift)

  np.testing.assert_allclose(
    gs.sample_shifted(volume, shift), plain(volume, shift), atol=1e-5
  )
  for got, want in zip(
    gradients(gs.sample_shifted), gradients(plain), strict=True
  ):
    np.testing.assert_allclose(got, want, atol=1e-3)
