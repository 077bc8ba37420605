"""Speech to motion, window by window.

In: mono sound of any length, in pieces of any size. Out: motion, `chunk` frames
at a time, joined by the frames before as a condition (the prefix). The step is
a pure function of a state of fixed size, so memory stays constant however long
the sound is, and going back is keeping an old state.
"""

from collections.abc import Iterator
import dataclasses
from typing import Any

from flax import struct
import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.config import build
from takin_jax.diffusion import units
from takin_jax.diffusion.motion import sample_motion
from takin_jax.diffusion.schedule import DiffusionConfig
from takin_jax.face import SAMPLES_PER_FRAME
from takin_jax.infer import blink, rest
from takin_jax.infer.controls import Controls, emotion_shift, speak
from takin_jax.models.denoiser import DenoiserConfig, MotionDenoiser
from takin_jax.models.hubert import Hubert, HubertConfig
from takin_jax.types import Motion, Source

Params = dict[str, Any]

_FADE = 12  # frames from one emotion to the next, at most
# The last speech state reaches so far behind its window's end.
_OVERLAP_SAMPLES = 80


@dataclasses.dataclass(frozen=True)
class StreamConfig:
  """How sound is cut, in frames of 40 ms.

  Attributes:
    chunk: frames made at a time.
    look_ahead: frames of sound after the chunk that are heard first.
    past: frames of sound before the chunk that are heard again.
  """

  chunk: int = 125
  look_ahead: int = 10
  past: int = 25

  def __post_init__(self):
    if self.chunk < 1 or self.look_ahead < 0 or self.past < 0:
      raise ValueError(f'A stream cannot be cut like this: {self}.')

  @property
  def step_samples(self) -> int:
    """New sound per chunk."""
    return self.chunk * SAMPLES_PER_FRAME

  @property
  def sound_samples(self) -> int:
    """Sound that a chunk needs from its first frame on."""
    return (self.chunk + self.look_ahead) * SAMPLES_PER_FRAME


# For sound that arrives while it is spoken.
LIVE = StreamConfig(chunk=8, look_ahead=5, past=62)


@struct.dataclass
class SpeechState:
  """What one chunk leaves for the next.

  Attributes:
    past: [past * 640] sound before the chunk.
    prefix: [P, M] normalised motion before the chunk.
    prefix_mask: [P] bool, False where there was none.
    window: [] number of the chunk.
    key: of the noise.
    rest: how silent it has been.
    blink: [] frames to the next blink.
    shift: [K, 3] of the emotion that was added to its last expression.
  """

  past: jax.Array
  prefix: jax.Array
  prefix_mask: jax.Array
  window: jax.Array
  key: jax.Array
  rest: rest.RestState
  blink: jax.Array
  shift: jax.Array


@struct.dataclass
class SpeechControls:
  """What steers the motion; may change between chunks.

  Attributes:
    emotion: [3K] mean expression.
    has_emotion: [] bool, False: none was asked for.
    controls: how the motion is put on the portrait.
  """

  emotion: jax.Array
  has_emotion: jax.Array
  controls: Controls


def first_state(
  cfg: DiffusionConfig, plan: StreamConfig, motion_dim: int, seed: int
) -> SpeechState:
  """The state before any sound."""
  return SpeechState(
    past=np.zeros(plan.past * SAMPLES_PER_FRAME, np.float32),
    prefix=np.zeros((cfg.prefix, motion_dim), np.float32),
    prefix_mask=np.zeros(cfg.prefix, bool),
    window=np.int32(0),
    key=jax.device_get(jax.random.key_data(jax.random.key(seed))),
    rest=rest.first_state(),
    blink=blink.first_state(),
    shift=np.zeros(((motion_dim - 7) // 3, 3), np.float32),
  )


def speech_controls(
  emotion: np.ndarray | None, controls: Controls, exp_dim: int
) -> SpeechControls:
  """Wishes as the compiled step takes them; `emotion` [exp_dim] or None."""
  given = emotion is not None
  return SpeechControls(
    emotion=emotion if given else np.zeros(exp_dim, np.float32),
    has_emotion=np.bool_(given),
    controls=jax.tree.map(np.float32, controls),
  )


def speech_step(
  config: Any,
  plan: StreamConfig,
  params: Params,
  state: SpeechState,
  sound: jax.Array,
  source: Source,
  wish: SpeechControls,
) -> tuple[SpeechState, Motion]:
  """Motion of one chunk.

  Args:
    config: has the blocks `model` and `diffusion`.
    plan: sizes.
    params: has the groups `speech`, `denoiser` and `stats`; `emotions` to add
      a share of the emotion.
    state: what the chunk before left.
    sound: [(chunk + look_ahead) * 640] 16 kHz sound from the chunk's first
      frame on.
    source: the portrait.
    wish: emotion and controls.

  Returns:
    The state for the next chunk, and the portrait's motion [chunk, ...].
  """
  cfg = build(DiffusionConfig, config.diffusion)
  wave = jnp.concatenate([state.past, sound])
  stats = params['stats']
  key = jax.random.fold_in(jax.random.wrap_key_data(state.key), state.window)
  x = sample_motion(
    MotionDenoiser(build(DenoiserConfig, config.model.denoiser)),
    params['denoiser'],
    hear(config.model, params, wave),
    {
      'emotion': units.to_units(stats, wish.emotion)[None],
      'source_kp': source.kp.reshape(1, -1),
      'prefix': state.prefix[None],
      'prefix_mask': state.prefix_mask[None],
    },
    ~wish.has_emotion[None],
    cfg,
    key,
    plan.past,
  )[0, : plan.chunk]
  predicted = Motion.from_vector(units.from_units(stats, x))
  infer = config.get('infer', {})
  shift = emotion_of_chunk(
    params, state, wish, infer.get('emotion_share', 0.0), plan
  )
  predicted = predicted.replace(exp=predicted.exp + shift)
  own_keypoints = infer.get('own_keypoints', False)
  rested, predicted = rest.settle(
    state.rest, sound, predicted, source.kp, own_keypoints
  )
  motion, wait = speak(source.motion, predicted, wish.controls), state.blink
  if own_keypoints:
    rate = wish.controls.blinks_per_minute
    chance = jax.random.uniform(jax.random.fold_in(key, 2), (plan.chunk,))
    wait, closed = blink.course(wait, rate, chance)
    motion = motion.replace(exp=blink.close_lids(motion.exp, source.kp, closed))
  made = jnp.ones(plan.chunk, bool)
  state = SpeechState(
    past=wave[plan.step_samples :][: state.past.shape[0]],
    prefix=jnp.concatenate([state.prefix, x])[plan.chunk :],
    prefix_mask=jnp.concatenate([state.prefix_mask, made])[plan.chunk :],
    window=state.window + 1,
    key=state.key,
    rest=rested,
    blink=wait,
    shift=shift[-1],
  )
  return state, motion


def emotion_of_chunk(
  params: Params,
  state: SpeechState,
  wish: SpeechControls,
  share: float,
  plan: StreamConfig,
) -> jax.Array:
  """[chunk, K, 3] of the emotion, going over from the one before."""
  neutral = params.get('emotions', {}).get('neutral')
  if not share or neutral is None:
    return jnp.zeros((plan.chunk, *state.shift.shape))
  offset = wish.emotion - neutral
  wanted = share * wish.has_emotion * emotion_shift(offset)
  before = jnp.where(state.window == 0, wanted, state.shift)
  passed = jnp.arange(1.0, plan.chunk + 1) / min(plan.chunk, _FADE)
  part = jnp.minimum(passed, 1.0)[:, None, None]
  return before + part * (wanted - before)


def hear(model: Any, params: Params, wave: jax.Array) -> jax.Array:
  """Speech states [L + 1, 1, 2 T, E] of [640 T] samples."""
  hubert = Hubert(build(HubertConfig, model.speech))
  wave = jnp.pad(wave, (0, _OVERLAP_SAMPLES))
  return hubert.apply({'params': params['speech']}, wave[None])


class Cutter:
  """Cuts sound that arrives in pieces of any size into what chunks need.

  Args:
    plan: sizes.
  """

  def __init__(self, plan: StreamConfig):
    self._plan = plan
    self.rest = np.zeros(0, np.float32)

  def feed(self, samples: np.ndarray) -> Iterator[np.ndarray]:
    """Adds [S] sound; yields [sound_samples] for every chunk that is due."""
    plan = self._plan
    self.rest = np.concatenate([self.rest, samples])
    while len(self.rest) >= plan.sound_samples:
      sound = self.rest[: plan.sound_samples]
      self.rest = self.rest[plan.step_samples :]
      yield sound

  def flush(self) -> Iterator[tuple[np.ndarray, int]]:
    """Yields what is left, silence after it, and its number of frames."""
    plan = self._plan
    while len(self.rest):
      sound = self.rest[: plan.sound_samples]
      covered = -(-len(self.rest) // SAMPLES_PER_FRAME)
      self.rest = self.rest[plan.step_samples :]
      pad = plan.sound_samples - len(sound)
      yield np.pad(sound, (0, pad)), min(covered, plan.chunk)
