"""What the user may steer: emotion, head movement, strength.

In: motion as predicted from speech or read from a driving video.
Out: motion of the portrait. Pure functions of arrays.
"""

from collections.abc import Mapping

from flax import struct
import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.infer.errors import InputError
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
    relative: 1: the changes of a driving video since its first frame move the
      portrait; 0: the portrait takes its expression and pose as they are.
  """

  motion_scale: float = 1.0
  pose_scale: float = 1.0
  max_pose_deg: float = 180.0
  relative: float = 1.0


def parse_emotion(text: str, known: Mapping[str, np.ndarray]) -> np.ndarray:
  """`NAME[:scale]` -> [3K] mean expression of that emotion.

  A scale other than 1 leads from the neutral expression towards (or past) the
  emotion's.

  Args:
    text: such as `happy` or `sad:0.5`.
    known: [3K] expressions by name.

  Raises:
    InputError: unknown name, or a scale that is no number.
  """
  name, _, scale = text.partition(':')
  if not known:
    raise InputError(f'These weights know no emotions, so not {name!r}.')
  if name not in known:
    raise InputError(
      f'Unknown emotion {name!r}: these weights know '
      f'{", ".join(sorted(known))}.'
    )
  try:
    factor = float(scale) if scale else 1.0
  except ValueError:
    factor = float('nan')
  if not np.isfinite(factor):
    raise InputError(f'The scale of --emotion {text} is not a number.')
  rest = known.get('neutral', np.zeros_like(known[name]))
  return np.asarray(rest + factor * (known[name] - rest), np.float32)


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
  source: Motion, first: Motion, current: Motion, controls: Controls
) -> Motion:
  """Puts motion of a driving video on the portrait.

  Args:
    source: the portrait's motion.
    first: the driving video's first frame.
    current: its frame now.
    controls: scales and limits.

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


def _limit(turn_deg: jax.Array, limit_deg: jax.Array) -> jax.Array:
  """Small turns as they are, large ones gently held below the limit."""
  return limit_deg * jnp.tanh(turn_deg / limit_deg)
