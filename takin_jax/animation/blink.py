"""Blinks: few denoising steps average away what is rare and short.

In: motion and how often to blink. Out: the motion with its lids closed now and
then; a pure function of a state of one number. Times and shape are those of
346 blinks of the training people.
"""

import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.animation import openings
from takin_jax.face import FRAME_RATE_HZ, LIDS

# How far the lids are closed in the frames of a blink: shut at once, slow to
# open again.
COURSE = (0.25, 0.85, 1.0, 0.8, 0.5, 0.3, 0.2, 0.1)
# Blinks are random, but not nearer than this part of their mean distance, and
# not further apart than so many times it.
NEAREST, FURTHEST = 0.25, 3.0


def first_state() -> np.float32:
  """Frames to the next blink: as many as there may be."""
  return np.float32(np.inf)


def course(
  wait: jax.Array, per_minute: jax.Array, chance: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """When the lids close.

  Args:
    wait: [] frames to the next blink; below 0: it has begun.
    per_minute: [] mean number of blinks; 0: none begins.
    chance: [T] uniform random numbers in [0, 1).

  Returns:
    `wait` after it and how far the lids are closed, [T] in [0, 1].
  """
  mean = 60.0 * FRAME_RATE_HZ / jnp.maximum(per_minute, 1e-6)
  pauses = NEAREST - (1.0 - NEAREST) * jnp.log1p(-chance)
  pauses = mean * jnp.minimum(pauses, FURTHEST) - len(COURSE)
  pauses = jnp.maximum(pauses, 1.0)
  closing = jnp.asarray((*COURSE, 0.0))

  def frame(wait: jax.Array, pause: jax.Array) -> tuple[jax.Array, jax.Array]:
    over = wait <= -len(COURSE)
    # More blinks begin before the old pause has passed.
    wait = jnp.where(over | (wait > FURTHEST * mean), pause, wait)
    wait = wait - 1.0
    now = jnp.clip(jnp.floor(-wait), 0, len(COURSE)).astype(jnp.int32)
    return wait, jnp.where(wait < 0, closing[now], 0.0)

  return jax.lax.scan(frame, wait, pauses)


def close_lids(exp: jax.Array, kp: jax.Array, share: jax.Array) -> jax.Array:
  """Moves the lids together.

  Args:
    exp: [T, K, 3] expression of landmark keypoints.
    kp: [1, K, 3] canonical keypoints of the portrait.
    share: [T] 0: as they are; 1: closed.

  Returns:
    [T, K, 3].
  """
  open_by = openings.excess(exp, kp, LIDS, openings.CLOSED_LIDS)
  by = -share[:, None] * open_by
  return openings.part(exp, LIDS, by, openings.LOWER_LID_SHARE)
