"""Random smooth warps of pictures and of the points in them.

A warp is an affine map plus a thin-plate term on a regular grid of control
points. Source: the equivariance loss of the first-order motion model
(arXiv 2003.00196), with its L1 distances and its constants.
"""

from flax import struct
import jax
import jax.numpy as jnp

from takin_jax import rng
from takin_jax.ops.grid_sample import (
  center_grid,
  corner_grid,
  grid_sample,
  reflect,
)


@struct.dataclass
class ThinPlate:
  """A batch of warps.

  Attributes:
    affine: [B, 2, 3] applied to (x, y, 1).
    weights: [B, P * P] of the control points, row by row.
  """

  affine: jax.Array
  weights: jax.Array

  def __call__(self, points: jax.Array) -> jax.Array:
    """Maps points [B, N, 2] in [-1, 1] units."""
    side = round(self.weights.shape[-1] ** 0.5)
    control = corner_grid(side, side).reshape(-1, 2)
    affine = self.affine[:, None]
    linear = (affine[..., :2] * points[..., None, :]).sum(-1) + affine[..., 2]
    distance = jnp.abs(points[:, :, None] - control).sum(-1)
    bend = jnp.square(distance) * jnp.log(distance + 1e-6)
    return linear + jnp.einsum('bnp,bp->bn', bend, self.weights)[..., None]

  def warp(self, image: jax.Array, corners: bool = False) -> jax.Array:
    """Samples [B, H, W, C] at the mapped positions, edges mirrored.

    What the result shows at p, the picture has at the mapped p.

    Args:
      image: the pictures.
      corners: take the pixels' places in the result from a grid that spans
        the corner pixels' centres, as public code does; then even the
        identity zooms by a pixel, and points no longer map exactly.
    """
    b, h, w, _ = image.shape
    grid = corner_grid(h, w) if corners else center_grid(h, w)
    grid = jnp.broadcast_to(grid.reshape(1, -1, 2), (b, h * w, 2))
    grid = reflect(self(grid)).reshape(b, h, w, 2)
    return grid_sample(image, grid, border=True)


def random_thin_plate(
  key: jax.Array,
  batch: int,
  affine: float = 0.05,
  bend: float = 0.005,
  side: int = 5,
) -> ThinPlate:
  """Draws warps: identity + N(0, affine^2), control weights N(0, bend^2)."""
  noise = affine * jax.random.normal(
    rng.fold_in_str(key, 'affine'), (batch, 2, 3)
  )
  weights = bend * jax.random.normal(
    rng.fold_in_str(key, 'bend'), (batch, side * side)
  )
  return ThinPlate(jnp.eye(2, 3) + noise, weights)
