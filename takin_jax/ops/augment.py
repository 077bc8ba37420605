"""Random changes of pictures together with the geometry they show."""

import functools

import jax
import jax.numpy as jnp

from takin_jax import rng
from takin_jax.ops.grid_sample import center_grid, grid_sample


def random_colors(
  key: jax.Array, batch: int, strength: float = 0.15
) -> tuple[jax.Array, jax.Array]:
  """Gain [B, 1, 1, 3] around 1 and offset [B, 1, 1, 1] around 0."""
  draw = functools.partial(rng.fold_in_str, key)
  gain = 1 + strength * jax.random.uniform(
    draw('gain'), (batch, 1, 1, 3), minval=-1, maxval=1
  )
  offset = (strength / 2) * jax.random.uniform(
    draw('offset'), (batch, 1, 1, 1), minval=-1, maxval=1
  )
  return gain, offset


def apply_colors(
  image: jax.Array, gain: jax.Array, offset: jax.Array
) -> jax.Array:
  """clip(image gain + offset) for pictures in [0, 1]."""
  return jnp.clip(image * gain + offset, 0.0, 1.0)


def random_similarity(
  key: jax.Array,
  image: jax.Array,
  x: jax.Array,
  pose_deg: jax.Array,
  *,
  max_log_scale: float = 0.2,
  max_roll_deg: float = 20.0,
  max_shift: float = 0.15,
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Scales, rolls and shifts pictures and their keypoints alike.

  By default more than clips of records are, for portraits are.

  Args:
    key: random key.
    image: [B, H, W, 3].
    x: [B, K, 3] keypoints in [-1, 1] units.
    pose_deg: [B, 3] pitch, yaw, roll.
    max_log_scale: scales by exp(+- this).
    max_roll_deg: rolls half of the pictures by up to this.
    max_shift: shifts by up to this, [-1, 1] units.

  Returns:
    The three, changed.
  """
  draw = functools.partial(rng.fold_in_str, key)
  b, size = image.shape[:2]

  def uniform(key: jax.Array, limit: float, *shape: int) -> jax.Array:
    return jax.random.uniform(key, (b, *shape), minval=-limit, maxval=limit)

  scale = jnp.exp(uniform(draw('scale'), max_log_scale, 1, 1))
  roll_deg = uniform(draw('roll'), max_roll_deg)
  roll_deg *= jax.random.bernoulli(draw('rolls'), 0.5, (b,))
  shift = uniform(draw('shift'), max_shift, 1, 2)
  angle = jnp.deg2rad(roll_deg)
  c, s = jnp.cos(angle), jnp.sin(angle)
  rotation = jnp.stack([c, s, -s, c], -1).reshape(b, 2, 2)  # for row vectors
  grid = center_grid(size, size).reshape(1, -1, 2)
  grid = (grid - shift) @ jnp.swapaxes(rotation, 1, 2) / scale
  image = grid_sample(image, grid.reshape(b, size, size, 2), border=True)
  xy = x[..., :2] @ rotation * scale + shift
  x = jnp.concatenate([xy, x[..., 2:] * scale], -1)
  return image, x, pose_deg.at[:, 2].add(roll_deg)


def random_surroundings(
  key: jax.Array, image: jax.Array, x: jax.Array, share: float
) -> jax.Array:
  """Puts faces before other pictures of the batch, and something before faces.

  Hair, clothes and background shall not tell where the head is.

  Args:
    key: random key.
    image: [B, H, H, 3].
    x: [B, K, 2 or 3] keypoints all over the face, in [-1, 1] units.
    share: of pictures with other surroundings; half as many are covered in
      one place.

  Returns:
    [B, H, H, 3].
  """
  draw = functools.partial(rng.fold_in_str, key)
  b, size = image.shape[:2]
  low, high = x[..., :2].min(1), x[..., :2].max(1)
  radius = jax.random.uniform(draw('radius'), (b, 2), minval=0.5, maxval=0.8)
  radius *= high - low
  middle = (low + high) / 2
  around = _outside(size, middle, radius, 2)
  around *= jax.random.bernoulli(draw('around'), share, (b, 1, 1, 1))
  # Upside down, or there would be a second face.
  others = jnp.roll(image, 1 + b // 2, 0)[:, ::-1]
  spot = jax.random.uniform(draw('spot'), (b, 2), minval=-1, maxval=1)
  spot = middle + spot * (high - low) / 2
  patch = jax.random.uniform(draw('patch'), (b, 2), minval=0.08, maxval=0.3)
  covered = 1.0 - _outside(size, spot, patch, 8)
  covered *= jax.random.bernoulli(draw('covered'), share / 2, (b, 1, 1, 1))
  hidden = jnp.maximum(around, covered)
  return image + hidden * (others - image)


def random_backgrounds(
  key: jax.Array,
  images: tuple[jax.Array, jax.Array],
  points: tuple[jax.Array, jax.Array],
  share: float,
) -> tuple[jax.Array, jax.Array]:
  """Puts both faces of a pair before one background that stands still.

  Half of the backgrounds are other pictures, half run from one strong colour
  to another: nothing in a face may depend on them, and they may not move.

  Args:
    key: random key.
    images: source and driving [B, H, H, 3] in [0, 1].
    points: their keypoints [B, K, 2 or 3] all over the face.
    share: of pairs with another background.

  Returns:
    Both pictures.
  """
  draw = functools.partial(rng.fold_in_str, key)
  b, size = images[0].shape[:2]
  # Upside down, or there would be a second face.
  other = jnp.roll(images[0], 1 + b // 2, 0)[:, ::-1]
  ends = jax.random.uniform(draw('ends'), (2, b, 1, 1, 3))
  ends = jnp.clip(1.6 * ends - 0.3, 0.0, 1.0)
  ends = ends.at[1].set(
    jnp.where(
      jax.random.bernoulli(draw('one_colour'), 0.5, (b, 1, 1, 1)), *ends
    )
  )
  slope = jax.random.normal(draw('slope'), (b, 1, 1, 2))
  along = jax.nn.sigmoid(2.0 * (center_grid(size, size) * slope).sum(-1))[
    ..., None
  ]
  plain = ends[0] + along * (ends[1] - ends[0])
  pictured = jax.random.bernoulli(draw('pictured'), 0.5, (b, 1, 1, 1))
  background = jnp.where(pictured, other, plain)
  chosen = jax.random.bernoulli(draw('chosen'), share, (b, 1, 1, 1))
  reach = jax.random.uniform(draw('reach'), (b, 2), minval=0.5, maxval=0.85)
  edge = jax.random.uniform(draw('edge'), (b, 1, 1, 1), minval=0.03, maxval=0.2)
  out = []
  for image, x in zip(images, points, strict=True):
    low, high = x[..., :2].min(1), x[..., :2].max(1)
    radius, middle = reach * (high - low), (low + high) / 2
    around = chosen * _outside(size, middle, radius, 2, edge)
    out.append(image + around * (background - image))
  return tuple(out)


def _outside(
  size: int,
  middle: jax.Array,
  radius: jax.Array,
  power: int,
  edge: float | jax.Array = 0.15,
) -> jax.Array:
  """[B, H, H, 1]: 0 inside an ellipse (or box), 1 from its soft edge on."""
  grid = center_grid(size, size)
  at = (grid - middle[:, None, None]) / radius[:, None, None]
  distance = (at**power).sum(-1, keepdims=True) ** (1 / power)
  return jnp.clip((distance - 1.0) / edge, 0.0, 1.0)
