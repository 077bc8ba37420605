"""Windows that ride on a face: where they lie, what they show, pasting back.

A window is a small picture of fixed size that follows the driving keypoints by
a similarity. Its positions are in window pixels (x, y) from its middle; one of
them is about a pixel of a 256 px picture for a face of the usual size.
Keypoints are numbered as in `takin_jax.face`.
"""

from flax import struct
import jax
import jax.numpy as jnp

from takin_jax.face import EYE_CORNERS, RIGID
from takin_jax.ops.grid_sample import grid_sample

# Spread of the rigid keypoints of a face whose window pixel is `PIXEL` wide.
_USUAL_SPREAD = 0.55 * 0.93
PIXEL = 2.0 / 256


@struct.dataclass
class Affine:
  """y = x @ matrix + offset for rows x.

  Attributes:
    matrix: [B, 2, 2].
    offset: [B, 2].
  """

  matrix: jax.Array
  offset: jax.Array

  def __call__(self, x: jax.Array) -> jax.Array:
    """Of points [B, N, 2], or of [N, 2] that all samples share: [B, N, 2]."""
    return x @ self.matrix + self.offset[:, None]

  def then(self, other: 'Affine') -> 'Affine':
    """First this one, then the other."""
    offset = self.offset[:, None] @ other.matrix + other.offset[:, None]
    return Affine(self.matrix @ other.matrix, offset[:, 0])

  def inverse(self) -> 'Affine':
    """The other way."""
    (a, b), (c, d) = jnp.moveaxis(self.matrix, 0, -1)
    rows = jnp.stack([jnp.stack([d, -b], -1), jnp.stack([-c, a], -1)], -2)
    inverse = rows / (a * d - b * c)[:, None, None]
    return Affine(inverse, -(self.offset[:, None] @ inverse)[:, 0])


def place(x: jax.Array, keypoints: tuple[int, ...]) -> Affine:
  """The window around some keypoints: window pixels -> picture.

  Args:
    x: [B, K, 3] keypoints in [-1, 1] units.
    keypoints: whose middle is the window's; the eye corners' line is level in
      it, and a large face fills it as a small one does.
  """
  xy = x[..., :2]
  along = xy[:, EYE_CORNERS[1]] - xy[:, EYE_CORNERS[0]]
  along /= jnp.maximum(jnp.linalg.norm(along, axis=-1, keepdims=True), 1e-6)
  pixel = PIXEL * _spread(x)[:, None] / _USUAL_SPREAD
  c, s = jnp.split(along * pixel, 2, -1)
  matrix = jnp.stack(
    [jnp.concatenate([c, s], -1), jnp.concatenate([-s, c], -1)], 1
  )
  return Affine(matrix, xy[:, jnp.asarray(keypoints)].mean(1))


def _spread(x: jax.Array) -> jax.Array:
  """[B] root mean square distance of the rigid keypoints to their middle."""
  points = x[:, jnp.asarray(RIGID)]
  points -= points.mean(1, keepdims=True)
  return jnp.sqrt(jnp.square(points).sum(-1).mean(-1) + 1e-8)


def head_motion(x: jax.Array, to: jax.Array, depth: jax.Array) -> Affine:
  """Where what lies in one plane of a rigid head has gone.

  The affine map of the rigid keypoints by least squares, held near the
  similarity that the eye corners and the sizes show.

  Args:
    x: [B, K, 3] keypoints in the first picture.
    to: [B, K, 3] keypoints in the second.
    depth: [B] z of the plane in the first picture.
  """
  rigid = jnp.asarray(RIGID)
  old, new = x[:, rigid], to[:, rigid, :2]
  middle, new_middle = old.mean(1, keepdims=True), new.mean(1, keepdims=True)
  old, new = old - middle, new - new_middle
  first, second = (place(points, EYE_CORNERS) for points in (x, to))
  prior = first.inverse().then(second).matrix
  prior = jnp.pad(prior, ((0, 0), (0, 1), (0, 0)))
  moment = jnp.einsum('bki,bkj->bij', old, old)
  ridge = 0.05 / 3 * jnp.trace(moment, axis1=1, axis2=2)[:, None, None]
  cross = jnp.einsum('bki,bkj->bij', old, new) + ridge * prior
  matrix = _inverse3(moment + ridge * jnp.eye(3)) @ cross
  depth = (depth - middle[:, 0, 2])[:, None]
  offset = new_middle[:, 0] + depth * matrix[:, 2]
  offset -= jnp.einsum('bi,bij->bj', middle[:, 0, :2], matrix[:, :2])
  return Affine(matrix[:, :2], offset)


def _inverse3(m: jax.Array) -> jax.Array:
  """Inverse of [B, 3, 3] by cross products: no call into LAPACK."""
  a, b, c = jnp.moveaxis(m, 1, 0)
  columns = [jnp.cross(b, c), jnp.cross(c, a), jnp.cross(a, b)]
  det = (a * columns[0]).sum(-1)
  return jnp.stack(columns, -1) / det[:, None, None]


def window_grid(height: int, width: int) -> jax.Array:
  """[H W, 2] positions (x, y) of a window's pixels from its middle."""
  x = jnp.arange(width) - (width - 1) / 2
  y = jnp.arange(height) - (height - 1) / 2
  return jnp.stack(jnp.meshgrid(x, y), -1).reshape(-1, 2)


def sample(image: jax.Array, at: Affine, height: int, width: int) -> jax.Array:
  """What a window shows of a picture.

  Args:
    image: [B, H, W, C].
    at: window pixels -> picture.
    height: of the window, pixels.
    width: of the window.

  Returns:
    [B, height, width, C], edges of the picture replicated.
  """
  grid = at(window_grid(height, width)).reshape(-1, height, width, 2)
  return grid_sample(image, grid, border=True)


def spread_out(window: jax.Array, position: jax.Array) -> jax.Array:
  """Values of a window [B, h, w, C] at window positions [B, ..., 2]."""
  h, w = window.shape[1:3]
  return grid_sample(window, position / jnp.array([w / 2, h / 2]))


def soft_edge(position: jax.Array, height: int, width: int) -> jax.Array:
  """[..., 1]: 1 inside a window, 0 from its edge on, smooth over 6 pixels."""
  near = jnp.array([width / 2, height / 2]) - jnp.abs(position)
  x, y = jnp.split(jnp.clip(near / 6.0, 0.0, 1.0), 2, -1)
  both = x * y
  return jnp.square(both) * (3.0 - 2.0 * both)


def curve_distance(
  position: jax.Array, left: jax.Array, right: jax.Array, top: jax.Array
) -> jax.Array:
  """Height of points over a parabola through three others.

  Beyond its ends it goes on for a while, then runs level with their line.

  Args:
    position: [B, ..., 2] window pixels.
    left: [B, 2] one end.
    right: [B, 2] the other end, of larger x.
    top: [B, 2] a point near the middle.

  Returns:
    [B, ...]: y of the point minus y of the curve.
  """
  extra = (1,) * (position.ndim - 2)
  half = jnp.maximum((right - left)[:, 0] / 2, 4.0)
  middle, slope = (left + right) / 2, (right - left)[:, 1] / (2 * half)
  bow = top[:, 1] - middle[:, 1] - slope * (top[:, 0] - middle[:, 0])
  half, slope, bow, x0, y0 = (
    v.reshape(-1, *extra) for v in (half, slope, bow, *middle.T)
  )
  x = position[..., 0] - x0
  arch = jnp.clip(1.0 - jnp.square(x / half), -1.5, 1.0)
  return position[..., 1] - (y0 + slope * x + bow * arch)
