"""What the user may steer: head movement and strength.

In: motion as predicted from speech or read from a driving video.
Out: motion of the portrait. Pure functions of arrays.
"""

from flax import struct
import jax
import jax.numpy as jnp

from takin_jax.face import INNER_LIPS, LIDS, OUTER_LIPS
from takin_jax.ops.geometry import (
  pose_from_matrix,
  relative_motion,
  rotation_matrix,
)
from takin_jax.types import Motion


@struct.dataclass
class Controls:
  """How motion is put on the portrait; numbers, so that they may change.

  Attributes:
    motion_scale: factor on the expression.
    pose_scale: factor on movements of the head.
    max_pose_deg: the head turns less than this far from its place in the
      portrait, in pitch, yaw and roll.
    blinks_per_minute: added to motion predicted from speech.
    relative: 1: the changes of a driving video since its first frame move the
      portrait; 0: the portrait takes its expression and pose as they are.
  """

  motion_scale: float = 1.0
  pose_scale: float = 1.0
  max_pose_deg: float = 180.0
  blinks_per_minute: float = 0.0
  relative: float = 1.0


def emotion_shift(offset: jax.Array) -> jax.Array:
  """What of an emotion is put on the face, whatever is said.

  The speech decides how far the lips are apart, and blinks come and go: lips
  keep their gap, lids are not closed.

  Args:
    offset: [3K] the emotion minus the neutral expression, of this project's own
      keypoints.

  Returns:
    [K, 3] to add to the expression.
  """
  shift = jnp.asarray(offset).reshape(-1, 3)
  for upper, lower in (OUTER_LIPS, INNER_LIPS, *LIDS):
    gap = shift[lower, 1] - shift[upper, 1]
    excess = gap if (upper, lower) not in LIDS else jnp.minimum(gap, 0.0)
    shift = _part(shift, upper, lower, -excess)
  return shift


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


def drive(
  source: Motion,
  first: Motion,
  current: Motion,
  controls: Controls,
  own_keypoints: bool = False,
) -> Motion:
  """Puts motion of a driving video on the portrait.

  Args:
    source: the portrait's motion.
    first: the driving video's first frame.
    current: its frame now.
    controls: scales and limits.
    own_keypoints: this project's own, of which the lips are known: they are as
      far apart as the driving ones. The changes of an open mouth would push
      closed lips into each other.

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
  if own_keypoints:
    moved = moved.replace(exp=_open_as(moved.exp, current.exp))
  rest = rotation_matrix(source.pose_deg)
  turn = rotation_matrix(moved.pose_deg) @ jnp.swapaxes(rest, -1, -2)
  turn = controls.pose_scale * pose_from_matrix(turn)
  rotation = rotation_matrix(_limit(turn, controls.max_pose_deg)) @ rest
  size = 1.0 + controls.pose_scale * (moved.scale / source.scale - 1.0)
  moved = Motion(
    exp=source.exp + controls.motion_scale * (moved.exp - source.exp),
    scale=source.scale * size,
    t=source.t + controls.pose_scale * (moved.t - source.t),
    pose_deg=pose_from_matrix(rotation),
  )
  return jax.tree.map(
    lambda a, b: jnp.where(controls.relative > 0, a, b), moved, as_is
  )


def _open_as(exp: jax.Array, wanted: jax.Array) -> jax.Array:
  """[..., K, 3] `exp` with lips as far apart as in `wanted`."""
  for upper, lower in (OUTER_LIPS, INNER_LIPS):
    missing = wanted - exp
    gap = missing[..., lower, 1] - missing[..., upper, 1]
    exp = _part(exp, upper, lower, gap)
  return exp


def _part(exp: jax.Array, upper: int, lower: int, gap: jax.Array) -> jax.Array:
  """[..., K, 3] with two keypoints `gap` [...] further apart, half each."""
  exp = exp.at[..., lower, 1].add(gap / 2)
  return exp.at[..., upper, 1].add(-gap / 2)


def _limit(turn_deg: jax.Array, limit_deg: jax.Array) -> jax.Array:
  """Small turns as they are, large ones gently held below the limit."""
  return limit_deg * jnp.tanh(turn_deg / limit_deg)
