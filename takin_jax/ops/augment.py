"""Random changes of pictures together with the geometry they show."""

import jax
import jax.numpy as jnp

from takin_jax.ops.grid_sample import center_grid, grid_sample


def random_colors(
  key: jax.Array, batch: int, strength: float = 0.15
) -> tuple[jax.Array, jax.Array]:
  """Gain [B, 1, 1, 3] around 1 and offset [B, 1, 1, 1] around 0."""
  key_gain, key_offset = jax.random.split(key)
  gain = 1 + strength * jax.random.uniform(
    key_gain, (batch, 1, 1, 3), minval=-1, maxval=1
  )
  offset = (strength / 2) * jax.random.uniform(
    key_offset, (batch, 1, 1, 1), minval=-1, maxval=1
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
  max_log_scale: float = 0.12,
  max_roll_deg: float = 10.0,
  max_shift: float = 0.1,
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Scales, rolls and shifts pictures and their keypoints alike.

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
  keys = jax.random.split(key, 4)
  b, size = image.shape[:2]

  def uniform(key: jax.Array, limit: float, *shape: int) -> jax.Array:
    return jax.random.uniform(key, (b, *shape), minval=-limit, maxval=limit)

  scale = jnp.exp(uniform(keys[0], max_log_scale, 1, 1))
  roll_deg = uniform(keys[1], max_roll_deg)
  roll_deg *= jax.random.bernoulli(keys[2], 0.5, (b,))
  shift = uniform(keys[3], max_shift, 1, 2)
  angle = jnp.deg2rad(roll_deg)
  c, s = jnp.cos(angle), jnp.sin(angle)
  rotation = jnp.stack([c, s, -s, c], -1).reshape(b, 2, 2)  # for row vectors
  grid = center_grid(size, size).reshape(1, -1, 2)
  grid = (grid - shift) @ jnp.swapaxes(rotation, 1, 2) / scale
  image = grid_sample(image, grid.reshape(b, size, size, 2), border=True)
  xy = x[..., :2] @ rotation * scale + shift
  x = jnp.concatenate([xy, x[..., 2:] * scale], -1)
  return image, x, pose_deg.at[:, 2].add(roll_deg)
