"""What a face does while nobody speaks: the mouth closes, the head comes home.

In: sound and the motion predicted for it. Out: the motion, with the lips closed
and the head near its rest where the sound is silent. Silence is measured
against the loudest speech so far, so that it works for loud and quiet
recordings; a pure function of a state of a few numbers.
"""

from flax import struct
import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.animation import openings
from takin_jax.face import (
  FRAME_RATE_HZ,
  INNER_LIPS,
  OUTER_LIPS,
  SAMPLES_PER_FRAME,
)
from takin_jax.types import Motion

BELOW_SPEECH_DB = 35.0  # silence is so much softer than the loudest speech
FLOOR_DB = -60.0  # and everything below this, relative to full scale
PEAK_FALL_DB = 0.5 / FRAME_RATE_HZ  # per frame: speakers change
LIPS_AFTER, HEAD_AFTER = 6, 25  # frames of silence before they move
LIPS_FRAMES, HEAD_FRAMES = 4.0, 50.0  # time constants of coming to rest
WAKE_FRAMES = 2.0  # and of leaving it
HEAD_SHARE = 0.6  # so much less movement at rest

LOWER_SHARE = 0.7  # of closing the mouth is the lower lip's: the jaw does it
# Canonical distance of the inner lips of a closed mouth: what the training
# people have in one frame of twenty.
CLOSED_GAP = 0.01


@struct.dataclass
class IdleState:
  """How silent it has been.

  Attributes:
    peak_db: [] level of the loudest speech, slowly falling.
    quiet: [] frames of silence so far.
    lips: [] 0: free, 1: closed.
    head: [] 0: free, 1: at rest.
  """

  peak_db: jax.Array
  quiet: jax.Array
  lips: jax.Array
  head: jax.Array


def first_state() -> IdleState:
  """Nothing has been heard."""
  zero = np.float32(0)
  return IdleState(np.float32(FLOOR_DB), zero, zero, zero)


def levels_db(sound: jax.Array, frames: int) -> jax.Array:
  """[S] sound in [-1, 1] -> [frames] mean power re full scale, in dB."""
  parts = sound[: frames * SAMPLES_PER_FRAME].reshape(frames, -1)
  return 10.0 * jnp.log10(jnp.square(parts).mean(-1) + 1e-10)


def follow(state: IdleState, level_db: jax.Array) -> tuple[IdleState, tuple]:
  """One frame: the new state, and how far lips and head are at rest."""
  peak = jnp.maximum(state.peak_db - PEAK_FALL_DB, level_db)
  silent = level_db < jnp.maximum(peak - BELOW_SPEECH_DB, FLOOR_DB)
  quiet = jnp.where(silent, state.quiet + 1.0, 0.0)

  def approach(now: jax.Array, after: int, frames: float) -> jax.Array:
    rest = quiet > after
    rate = jnp.where(rest, 1.0 / frames, 1.0 / WAKE_FRAMES)
    return now + rate * (rest - now)

  lips = approach(state.lips, LIPS_AFTER, LIPS_FRAMES)
  head = approach(state.head, HEAD_AFTER, HEAD_FRAMES)
  return IdleState(peak, quiet, lips, head), (lips, head)


def settle(
  state: IdleState,
  sound: jax.Array,
  motion: Motion,
  kp: jax.Array,
  landmark_keypoints: bool,
) -> tuple[IdleState, Motion]:
  """Brings a stretch of predicted motion to rest where it is silent.

  Args:
    state: after the stretch before.
    sound: [S] of the motion's frames, S >= 640 T.
    motion: [T, ...] as predicted: pose, t and scale relative to rest.
    kp: [1, K, 3] canonical keypoints of the portrait.
    landmark_keypoints: the lips are known, and close.

  Returns:
    The state after it, and the motion.
  """
  frames = motion.scale.shape[0]
  state, (lips, head) = jax.lax.scan(follow, state, levels_db(sound, frames))
  still = 1.0 - HEAD_SHARE * head[:, None]
  motion = motion.replace(
    scale=1.0 + still * (motion.scale - 1.0),
    t=still * motion.t,
    pose_deg=still * motion.pose_deg,
  )
  if landmark_keypoints:
    open_by = openings.excess(motion.exp, kp, (INNER_LIPS,), CLOSED_GAP)
    closer, pairs = -lips[:, None] * open_by, (OUTER_LIPS, INNER_LIPS)
    exp = openings.part(motion.exp, pairs, closer, LOWER_SHARE)
    motion = motion.replace(exp=exp)
  return state, motion
