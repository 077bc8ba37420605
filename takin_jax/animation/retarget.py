"""Someone's motion, put on this portrait.

In: motion predicted from speech or read from a driving video. Out: motion of
the portrait. Pure functions of arrays.
"""

import jax
import jax.numpy as jnp

from takin_jax.animation import openings
from takin_jax.animation.controls import Controls
from takin_jax.face import INNER_LIPS, LIDS, OUTER_LIPS
from takin_jax.ops.geometry import (
  pose_from_matrix,
  relative_motion,
  rotation_matrix,
)
from takin_jax.types import Motion

# A portrait's eyes are this much smaller or larger than usual, at most: one
# with closed eyes shall not speak with closed eyes.
OWN_LIDS = (0.6, 1.4)


def speak(source: Motion, predicted: Motion, controls: Controls) -> Motion:
  """Puts motion predicted from speech on the portrait.

  Predicted expressions are absolute, so that the mouth can close on a portrait
  that shows teeth; pose, t and scale are relative to a clip's rest.

  Args:
    source: [1, ...] the portrait's motion.
    predicted: [T, ...].
    controls: scales and limits.

  Returns:
    [T, ...] motion of the portrait.
  """
  turn = controls.pose_scale * predicted.pose_deg
  size = 1.0 + controls.pose_scale * (predicted.scale - 1.0)
  return Motion(
    exp=controls.motion_scale * predicted.exp,
    scale=source.scale * size,
    t=source.t + controls.pose_scale * predicted.t,
    pose_deg=source.pose_deg + _limit(turn, controls.max_pose_deg),
  )


def own_lids(
  exp: jax.Array, neutral: jax.Array, kp: jax.Array, own_exp: jax.Array
) -> jax.Array:
  """Eyes as open as the portrait's own while its speech has neutral ones.

  Predicted expressions are absolute, and lids would sag, or stare, in a
  portrait whose eyes are not those of an average face. Closed ones stay so.

  Args:
    exp: [T, K, 3] predicted expressions, of landmark keypoints.
    neutral: [3K] the expression of an average face at rest.
    kp: [1, K, 3] canonical keypoints of the portrait.
    own_exp: [1, K, 3] the portrait's own expression.

  Returns:
    [T, K, 3].
  """
  open_by, usual, own = (
    openings.excess(x, kp, LIDS, openings.CLOSED_LIDS)
    for x in (exp, neutral.reshape(1, -1, 3), own_exp)
  )
  share = own.mean() / jnp.maximum(usual.mean(), 1e-4)
  share = jnp.clip(share, *OWN_LIDS)
  by = (share - 1.0) * open_by
  return openings.part(exp, LIDS, by, openings.LOWER_LID_SHARE)


def drive(
  source: Motion,
  first: Motion,
  current: Motion,
  controls: Controls,
  landmark_keypoints: bool = False,
) -> Motion:
  """Puts motion of a driving video on the portrait.

  Args:
    source: the portrait's motion.
    first: the driving video's first frame.
    current: its frame now.
    controls: scales and limits.
    landmark_keypoints: the lips are known: they are as far apart as the driving
      ones. The changes of an open mouth would push closed lips into each
      other.

  Returns:
    The portrait's motion now.
  """
  as_is = Motion(
    exp=controls.motion_scale * current.exp,
    scale=source.scale,  # the size of the head stays, as in LivePortrait
    t=current.t,
    pose_deg=current.pose_deg,
  )
  moved = relative_motion(source, first, current)
  if landmark_keypoints:
    lips = (OUTER_LIPS, INNER_LIPS)
    moved = moved.replace(exp=openings.open_as(moved.exp, current.exp, lips))
  rest = rotation_matrix(source.pose_deg)
  turn = rotation_matrix(moved.pose_deg) @ jnp.swapaxes(rest, -1, -2)
  turn = controls.pose_scale * pose_from_matrix(turn)
  rotation = rotation_matrix(_limit(turn, controls.max_pose_deg)) @ rest
  zoom = controls.pose_scale * jnp.log(moved.scale / source.scale)
  shift = controls.pose_scale * (moved.t - source.t)
  moved = Motion(
    exp=source.exp + controls.motion_scale * (moved.exp - source.exp),
    scale=source.scale * jnp.exp(_limit(zoom, controls.max_zoom)),
    t=source.t + _limit(shift, controls.max_shift),
    pose_deg=pose_from_matrix(rotation),
  )
  return jax.tree.map(
    lambda a, b: jnp.where(controls.relative > 0, a, b), moved, as_is
  )


def _limit(change: jax.Array, limit: jax.Array) -> jax.Array:
  """Small changes as they are, large ones gently held below the limit."""
  return limit * jnp.tanh(change / limit)
