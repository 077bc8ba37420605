"""Sampling grids and grid sampling, channel-last.

Coordinates are (x, y[, z]) in [-1, 1] and follow PyTorch's convention with
`align_corners=False`: pixel = ((g + 1) * size - 1) / 2. A clipped corner index
times a masked weight is the fastest exact form under XLA: one gather of whole
channel rows per corner.
"""

import itertools

import jax
import jax.numpy as jnp


def corner_grid(*sizes: int) -> jax.Array:
  """Corner-aligned identity grid: value 2 i / (n - 1) - 1 at index i.

  Args:
    *sizes: (D, H, W) or (H, W).

  Returns:
    [*sizes, len(sizes)] with the last axis in (x, y[, z]) order. Sampled with
    `align_corners=False` it is *not* the identity; LivePortrait's weights
    expect exactly that.
  """
  axes = [jnp.linspace(-1.0, 1.0, n) for n in sizes]
  return jnp.stack(jnp.meshgrid(*axes, indexing='ij')[::-1], -1)


def center_axis(n: int) -> jax.Array:
  """Pixel centres of an axis of n cells in [-1, 1]: (2 i + 1) / n - 1."""
  return (2.0 * jnp.arange(n) + 1.0) / n - 1.0


def center_grid(*sizes: int) -> jax.Array:
  """Pixel-centre identity grid [*sizes, len(sizes)]; samples exactly."""
  axes = [center_axis(n) for n in sizes]
  return jnp.stack(jnp.meshgrid(*axes, indexing='ij')[::-1], -1)


def grid_sample(
  volume: jax.Array,
  grid: jax.Array,
  *,
  align_corners: bool = False,
  border: bool = False,
) -> jax.Array:
  """Linear interpolation of a 2-D or 3-D map at arbitrary positions.

  Args:
    volume: [B, H, W, C] or [B, D, H, W, C].
    grid: [B, ..., 2 or 3] positions in (x, y[, z]) order, float32.
    align_corners: -1 and 1 are the centres of the edge cells instead of their
      outer edges.
    border: positions outside take the edge value instead of zero.

  Returns:
    [B, ..., C] in the volume's dtype.
  """
  return jax.vmap(lambda v, g: _sample_one(v, g, align_corners, border))(
    volume, grid
  )


def _sample_one(
  volume: jax.Array, grid: jax.Array, align_corners: bool, border: bool
) -> jax.Array:
  sizes = volume.shape[:-1]
  flat = volume.reshape(-1, volume.shape[-1])
  low, frac = [], []
  for axis, size in enumerate(sizes):
    g = grid[..., len(sizes) - 1 - axis].astype(jnp.float32)
    if align_corners:
      position = (g + 1.0) * (0.5 * (size - 1))
    else:
      position = (g + 1.0) * (0.5 * size) - 0.5
    limits = (0.0, size - 1.0) if border else (-1.0, float(size))
    position = jnp.clip(position, *limits)
    low.append(jnp.floor(position))
    frac.append(position - low[-1])
  out = 0.0
  for corner in itertools.product((0, 1), repeat=len(sizes)):
    index, weight = 0, 1.0
    for size, base, part, step in zip(sizes, low, frac, corner, strict=True):
      cell = base + step
      weight *= part if step else 1.0 - part
      if not border:
        weight *= (cell >= 0) & (cell <= size - 1)
      index = index * size + jnp.clip(cell, 0, size - 1).astype(jnp.int32)
    rows = flat.at[index].get(mode='promise_in_bounds')
    out += rows * weight[..., None].astype(rows.dtype)
  return out


def sample_shifted(volume: jax.Array, shift: jax.Array) -> jax.Array:
  """`grid_sample(volume, corner_grid(D, H, W) + shift)` for many shifts.

  Every coordinate of such a grid depends on one index alone, so the sampling
  is one linear interpolation per axis.

  Args:
    volume: [B, D, H, W, C].
    shift: [B, K, 3] in (x, y, z) order, float32.

  Returns:
    [B, K, D, H, W, C].
  """

  def one(x: jax.Array, shift: jax.Array) -> jax.Array:
    for axis, size in enumerate(volume.shape[1:4]):
      grid = jnp.linspace(-1.0, 1.0, size) + shift[2 - axis]
      position = jnp.clip((grid + 1.0) * (0.5 * size) - 0.5, -1.0, size)
      low = jnp.floor(position)
      parts = []
      for cell, weight in (
        (low, 1.0 - (position - low)),
        (low + 1.0, position - low),
      ):
        weight *= (cell >= 0) & (cell <= size - 1)
        rows = x.take(cell.astype(jnp.int32), axis, mode='clip')
        weight = jnp.expand_dims(weight, range(1, x.ndim - axis))
        parts.append(rows * weight.astype(rows.dtype))
      x = parts[0] + parts[1]
    return x

  per_shift = jax.vmap(one, (None, 0))
  return jax.vmap(per_shift)(volume, shift)


def reflect(grid: jax.Array) -> jax.Array:
  """Mirrors positions at -1 and 1, so that every one lies inside.

  With `grid_sample(..., border=True)` this is PyTorch's reflection padding.
  """
  return 1.0 - jnp.abs(jnp.mod(grid + 1.0, 4.0) - 2.0)


def gaussian_1d(
  positions: jax.Array, axis: jax.Array, variance: float
) -> jax.Array:
  """exp(-(axis - position)^2 / 2 var): one factor of a separable heat map.

  Args:
    positions: [...] coordinates.
    axis: [n] cell coordinates.
    variance: in squared [-1, 1] units.

  Returns:
    [..., n].
  """
  return jnp.exp(-0.5 / variance * jnp.square(axis - positions[..., None]))


def shift_matrix(shift: jax.Array, n: int) -> jax.Array:
  """Matrices that sample a line of n cells at x + shift, edge replicated.

  A map shifted by a constant is separable, so shifting in 2-D is two small
  matrix products and needs no gather.

  Args:
    shift: [...] in [-1, 1] units (2 is the length of the line).
    n: cells.

  Returns:
    [..., n, n]; `out[i] = sum_j matrix[i, j] in[j]`.
  """
  cells = jnp.arange(n, dtype=jnp.float32)
  position = jnp.clip(cells + shift[..., None] * (n / 2), 0.0, n - 1.0)
  return jnp.maximum(0.0, 1.0 - jnp.abs(position[..., None] - cells))
