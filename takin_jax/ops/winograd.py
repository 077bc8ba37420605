"""Winograd convolution: fewer products for large kernels, on CPUs.

A tile of 4 x 4 outputs is made from 6 x 6 inputs by 36 products per pair of
channels instead of 144 (3 x 3 kernels), or, for 7 x 7 kernels cut into four
blocks of 4 x 4 taps, by 4 x 49 instead of 784. Kernels are transformed once, at
load. Slices that fit the cache are worked off one after the other: the
transformed tiles are larger than the map itself. Float32 only: rounding errors
grow about tenfold. Source: Lavin and Gray (arXiv 1509.09308).
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

TILE = 4
_TILES_AT_ONCE = 128
_AT_ONCE = 2  # loop bodies, for XLA runs independent steps side by side


@dataclasses.dataclass(frozen=True)
class _Scheme:
  """Matrices of a one-dimensional algorithm F(4, r).

  Attributes:
    inputs: [P, P] of the inputs, P = 4 + r - 1 points.
    kernel: [P, r] of the taps.
    outputs: [4, P] back to outputs.
  """

  inputs: np.ndarray
  kernel: np.ndarray
  outputs: np.ndarray

  @property
  def points(self) -> int:
    return len(self.inputs)

  @property
  def taps(self) -> int:
    return self.kernel.shape[1]


def _scheme(points: tuple[float, ...], taps: int) -> _Scheme:
  """Cook-Toom: polynomials evaluated at the points and at infinity.

  Args:
    points: 4 + taps - 2 different numbers.
    taps: r.
  """

  def powers(n: int) -> np.ndarray:
    finite = np.power.outer(np.array(points, float), np.arange(n))
    return np.vstack([finite, np.eye(n)[-1]])

  inputs = np.linalg.inv(powers(len(points) + 1)).T
  scale = np.abs(inputs).max(1, keepdims=True)
  return _Scheme(
    np.round(inputs / scale, 12), powers(taps) * scale, powers(TILE).T
  )


_TAPS3 = _scheme((0, 1, -1, 2, -2), 3)
_TAPS4 = _scheme((0, 1, -1, 0.5, -0.5, 2), 4)


def transform3(kernel: jax.Array) -> jax.Array:
  """[3, 3, I, O] -> [36, I, O]; [3, 3, 3, I, O] -> [36, I, 3 O]."""
  if kernel.ndim == 4:
    return _transform(_TAPS3, kernel[None])[0]
  depth = _transform(_TAPS3, kernel)
  return jnp.moveaxis(depth, 0, 2).reshape(*depth.shape[1:3], -1)


def transform7(kernel: jax.Array) -> jax.Array:
  """[7, 7, 7, I, O] -> [4, 49, I, 7 O] float32: four blocks, depth taps."""
  taps, _, _, inputs, outputs = kernel.shape
  wide = kernel.transpose(1, 2, 3, 0, 4).reshape(7, 7, inputs, taps * outputs)
  wide = jnp.pad(wide, ((0, 1), (0, 1), (0, 0), (0, 0)))
  blocks = [wide[i : i + 4, j : j + 4] for i in (0, 4) for j in (0, 4)]
  return _transform(_TAPS4, jnp.stack(blocks))


def _transform(scheme: _Scheme, kernel: jax.Array) -> jax.Array:
  """[N, r, r, I, O] -> [N, P P, I, O]."""
  matrix = np.kron(scheme.kernel, scheme.kernel).astype(np.float32)
  flat = kernel.reshape(len(kernel), scheme.taps**2, -1)
  return (matrix @ flat).reshape(len(kernel), -1, *kernel.shape[3:])


def conv3(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """Convolution of 3 taps per axis, zero padding to the same size.

  Args:
    x: [B, H, W, I] or [B, D, H, W, I].
    kernel: of `transform3`.

  Returns:
    [B, H, W, O] or [B, D, H, W, O].
  """
  if x.ndim == 5:
    return _conv3_depth(x, kernel)
  b, h, w, _ = x.shape
  x = _pad(x, 1, 3)
  high, wide = (n // TILE - 1 for n in x.shape[1:3])
  rows = max(n for n in range(1, high + 1) if _fits(n, high, b * wide))

  def strip(i: jax.Array) -> jax.Array:
    part = jax.lax.dynamic_slice_in_dim(
      x, TILE * rows * i, TILE * (rows + 1), 1
    )
    y = _product(_tiles(_TAPS3, part), kernel)
    return _untile(_TAPS3, y, b, rows)

  y = jax.lax.map(strip, jnp.arange(high // rows))
  y = y.swapaxes(0, 1).reshape(b, TILE * high, TILE * wide, -1)
  return y[:, :h, :w]


def _fits(rows: int, high: int, wide: int) -> bool:
  return rows == 1 or (high % rows == 0 and rows * wide <= _TILES_AT_ONCE)


def _conv3_depth(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """Slice by slice; each adds to the one before, its own and the one after.

  Sums are of products, before the way back.
  """
  b, depth, h, w, _ = x.shape
  x = _pad(x.swapaxes(0, 1).reshape(-1, h, w, x.shape[-1]), 1, 3)
  x = x.reshape(depth, b, *x.shape[1:])
  high, wide = (n // TILE - 1 for n in x.shape[2:4])

  def slab(carry: tuple, part: jax.Array) -> tuple:
    before, own = carry
    y = _product(_tiles(_TAPS3, part), kernel)
    after, middle, last = jnp.split(y, 3, -1)
    y = _untile(_TAPS3, before + last, b, high)
    return (own + middle, after), y

  none = jnp.zeros((len(kernel), b * high * wide, kernel.shape[-1] // 3))
  (last, _), y = jax.lax.scan(slab, (none, none), x, unroll=_AT_ONCE)
  y = jnp.concatenate([y[1:], _untile(_TAPS3, last, b, high)[None]])
  return y.swapaxes(0, 1)[:, :, :h, :w]


def conv7(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """Convolution of 7 taps per axis to few outputs, padded to the same size.

  Args:
    x: [B, D, H, W, I].
    kernel: of `transform7`.

  Returns:
    [B, D, H, W, 7, O]: what every depth tap gives, to be shifted and added.
  """
  b, depth, h, w, c = x.shape
  x = _pad(x.swapaxes(0, 1).reshape(-1, h, w, c), 3, 5)
  x = x.reshape(depth, b, *x.shape[1:])
  high, wide = (n // TILE - 2 for n in x.shape[2:4])

  def slab(part: jax.Array) -> jax.Array:
    tiles = _tiles(_TAPS4, part)
    y = sum(
      _product(tiles[:, :, i : i + high, j : j + wide], kernel[2 * i + j])
      for i in range(2)
      for j in range(2)
    )
    return _untile(_TAPS4, y, b, high)

  y = jax.lax.map(slab, x).swapaxes(0, 1)[:, :, :h, :w]
  return y.reshape(*y.shape[:4], 7, -1)


def _pad(x: jax.Array, before: int, after: int) -> jax.Array:
  """Zeros around [N, H, W, C], up to whole tiles and then `after`."""
  sizes = [(before, -n % TILE + after) for n in x.shape[1:3]]
  return jnp.pad(x, ((0, 0), *sizes, (0, 0)))


def _tiles(scheme: _Scheme, x: jax.Array) -> jax.Array:
  """Transformed inputs: [N, 4 (h + 1), 4 (w + 1), C] -> [P P, N, h, w, C]."""
  n, height, width, c = x.shape
  high, wide = height // TILE - 1, width // TILE - 1
  x = x.reshape(n, high + 1, TILE, width, c)

  def at(axis: int, length: int, i: int) -> tuple[slice, ...]:
    """Every 4th row or column, from the i-th on."""
    start, inner = divmod(i, TILE)
    return (*(slice(None),) * axis, slice(start, start + length), inner)

  rows = [x[at(1, high, i)] for i in range(scheme.points)]
  rows = _once(_combine(scheme.inputs, rows))
  rows = rows.reshape(-1, n, high, wide + 1, TILE, c)
  columns = [rows[at(3, wide, i)] for i in range(scheme.points)]
  tiles = _combine(scheme.inputs, columns, 1)
  return tiles.reshape(-1, n, high, wide, c)


def _product(tiles: jax.Array, kernel: jax.Array) -> jax.Array:
  """[Q, N, h, w, I] and [Q, I, O] -> [Q, N h w, O]."""
  flat = tiles.reshape(tiles.shape[0], -1, tiles.shape[-1])
  return jax.lax.dot_general(flat, kernel, (((2,), (1,)), ((0,), (0,))))


def _untile(scheme: _Scheme, y: jax.Array, n: int, high: int) -> jax.Array:
  """Outputs [n, 4 high, W, O] of products [P P, n high w, O]."""
  p, c = scheme.points, y.shape[-1]
  y = y.reshape(p, p, n, high, -1, c)
  rows = _once(_combine(scheme.outputs, list(y)))
  grid = _combine(scheme.outputs, [rows[:, i] for i in range(p)])
  return grid.transpose(2, 3, 1, 4, 0, 5).reshape(n, TILE * high, -1, c)


def _combine(
  matrix: np.ndarray, parts: list[jax.Array], axis: int = 0
) -> jax.Array:
  """The matrix times the list, stacked; zeros cost nothing."""
  sums = [
    sum(
      part * np.float32(factor)
      for factor, part in zip(row, parts, strict=True)
      if factor
    )
    for row in matrix
  ]
  return jnp.stack(sums, axis)


def _once(x: jax.Array) -> jax.Array:
  """Keeps XLA from computing x again for each of its uses.

  Whole convolutions become 1.2 to 1.7 times as fast, and have a sixth of the
  instructions, which start-up has to read.
  """
  return jax.lax.optimization_barrier(x)
