"""What a face does while nobody speaks: the mouth closes, the head comes home.

In: sound and the motion predicted for it. Out: the motion, with the lips closed
and the head near its rest where the sound is silent. What is silent is judged
against the room and against the speech, so that it works for loud and quiet
recordings, in noise, and with hum or an offset of the microphone. A pure
function of a state of a few numbers, which a live stream learns as it goes and
a recording brings along.
"""

from typing import Any

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

# Silence is softer than one of these: so far above the room's noise, so far
# below the loudest speech, and relative to full scale.
ABOVE_ROOM_DB = 8.0
BELOW_SPEECH_DB = 35.0
SOFTEST_DB = -60.0
# The noise of a room that nobody has listened to yet, and the least of any.
ROOM_DB, STILL_ROOM_DB = -40.0, -70.0
ROOM_BELOW_SPEECH_DB = 22.0  # in a recording, at least
ROOM_FALL = 0.3  # the room's level follows softer frames by this share
ROOM_RISE_DB = 3.0 / FRAME_RATE_HZ  # and rises so much per frame
PEAK_FALL_DB = 0.5 / FRAME_RATE_HZ  # per frame: speakers change
AHEAD = 2  # frames of sound that are heard before the lips part
LIPS_AFTER, HEAD_AFTER = 6, 25  # frames of silence before they move
LIPS_FRAMES, HEAD_FRAMES = 4.0, 50.0  # time constants of coming to rest
LIPS_WAKE_FRAMES, HEAD_WAKE_FRAMES = 2.0, 10.0  # and of leaving it
HEAD_SHARE = 0.6  # so much less movement at rest


def _low_waves(below_hz: float) -> np.ndarray:
  """[640, N] orthonormal waves of a frame, all that are slower than this."""
  count = int(np.ceil(below_hz / FRAME_RATE_HZ))
  turns = 2 * np.pi * np.arange(SAMPLES_PER_FRAME) / SAMPLES_PER_FRAME
  waves = [np.ones_like(turns)]
  for k in range(1, count):
    waves += [np.cos(k * turns), np.sin(k * turns)]
  waves = np.stack(waves, -1)
  return np.float32(waves / np.linalg.norm(waves, axis=0))


_LOW = _low_waves(80.0)
# Hann: what is slower than the low waves does not leak past them.
_WINDOW = np.float32(np.hanning(SAMPLES_PER_FRAME + 1)[:-1])
_WINDOW *= np.float32(1 / np.sqrt(np.square(_WINDOW).mean()))


@struct.dataclass
class IdleState:
  """How silent it has been.

  Attributes:
    room_db: [] level of the noise that is always there.
    peak_db: [] level of the loudest speech, slowly falling.
    quiet: [] frames of silence so far.
    lips: [] 0: free, 1: closed.
    head: [] 0: free, 1: at rest.
  """

  room_db: jax.Array
  peak_db: jax.Array
  quiet: jax.Array
  lips: jax.Array
  head: jax.Array


def first_state(levels_db: np.ndarray | None = None) -> IdleState:
  """Nobody has spoken yet.

  Args:
    levels_db: [T] `levels` of the whole recording; None: it is not known yet,
      as in a live stream.
  """
  room, peak = ROOM_DB, SOFTEST_DB
  if levels_db is not None and len(levels_db):
    low, peak = np.percentile(levels_db, (5, 95))
    # Speech without a pause has no room's noise to show.
    room = max(min(low, peak - ROOM_BELOW_SPEECH_DB), STILL_ROOM_DB)
  long = 1 + max(LIPS_AFTER, HEAD_AFTER)
  return IdleState(*np.float32([room, peak, long, 1.0, 1.0]))


def levels(sound: np.ndarray) -> np.ndarray:
  """[S] sound in [-1, 1] -> [ceil(S / 640)] levels of its frames in dB."""
  sound = np.pad(sound, (0, -len(sound) % SAMPLES_PER_FRAME))
  return 10.0 * np.log10(_power(sound))


def _power(sound: Any) -> Any:
  """[640 T] sound -> [T] power above 80 Hz re full scale, NumPy or JAX."""
  frames = sound.reshape(-1, SAMPLES_PER_FRAME) * _WINDOW
  frames = frames - (frames @ _LOW) @ _LOW.T
  return (frames * frames).mean(-1) + 1e-10


def follow(
  state: IdleState, heard_db: tuple[jax.Array, jax.Array]
) -> tuple[IdleState, tuple[jax.Array, jax.Array]]:
  """One frame.

  Args:
    state: after the frame before.
    heard_db: [] level of the frame, and the highest of it and the next ones.

  Returns:
    The state after it, and how far lips and head are at rest.
  """
  level, soon = heard_db
  peak = jnp.maximum(state.peak_db - PEAK_FALL_DB, level)
  room = jnp.where(
    level < state.room_db,
    state.room_db + ROOM_FALL * (level - state.room_db),
    jnp.minimum(state.room_db + ROOM_RISE_DB, level),
  )
  room = jnp.maximum(room, STILL_ROOM_DB)
  softest = jnp.maximum(room + ABOVE_ROOM_DB, peak - BELOW_SPEECH_DB)
  silent = soon < jnp.maximum(softest, SOFTEST_DB)
  quiet = jnp.where(silent, state.quiet + 1.0, 0.0)

  def approach(
    now: jax.Array, after: int, frames: float, wake_frames: float
  ) -> jax.Array:
    rest = quiet > after
    rate = jnp.where(rest, 1.0 / frames, 1.0 / wake_frames)
    return now + rate * (rest - now)

  lips = approach(state.lips, LIPS_AFTER, LIPS_FRAMES, LIPS_WAKE_FRAMES)
  head = approach(state.head, HEAD_AFTER, HEAD_FRAMES, HEAD_WAKE_FRAMES)
  return IdleState(room, peak, quiet, lips, head), (lips, head)


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
    sound: [640 N] of the motion's frames and, if N > T, of the next ones.
    motion: [T, ...] as predicted: pose, t and scale relative to rest.
    kp: [1, K, 3] canonical keypoints of the portrait.
    landmark_keypoints: the lips are known, and close.

  Returns:
    The state after it, and the motion.
  """
  frames = motion.scale.shape[0]
  level = 10.0 * jnp.log10(_power(sound))
  padded = jnp.pad(level, (0, AHEAD), mode='edge')
  soon = [padded[i : i + frames] for i in range(AHEAD + 1)]
  heard = level[:frames], jnp.stack(soon).max(0)
  state, (lips, head) = jax.lax.scan(follow, state, heard)
  still = 1.0 - HEAD_SHARE * head[:, None]
  motion = motion.replace(
    scale=1.0 + still * (motion.scale - 1.0),
    t=still * motion.t,
    pose_deg=still * motion.pose_deg,
  )
  if landmark_keypoints:
    closed, share = openings.CLOSED_LIPS, openings.LOWER_LIP_SHARE
    open_by = openings.excess(motion.exp, kp, (INNER_LIPS,), closed)
    closer, pairs = -lips[:, None] * open_by, (OUTER_LIPS, INNER_LIPS)
    exp = openings.part(motion.exp, pairs, closer, share)
    motion = motion.replace(exp=exp)
  return state, motion
