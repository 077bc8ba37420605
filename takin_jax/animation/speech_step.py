"""Speech to motion, chunk by chunk.

In: 16 kHz sound around one chunk. Out: the portrait's motion in it, joined to
the motion before as a condition (the prefix). The step is a pure function of a
state of fixed size, so memory stays constant however long the sound is, going
back is keeping an old state, and many sessions run under one `vmap`.
"""

from typing import Any

from flax import struct
import jax
import jax.numpy as jnp
import numpy as np

from takin_jax import audio_to_motion
from takin_jax.animation import blink, emotion, idle, retarget
from takin_jax.animation.chunks import ChunkConfig
from takin_jax.animation.controls import Controls, InferConfig
from takin_jax.diffusion.schedule import DiffusionConfig
from takin_jax.errors import InputError
from takin_jax.face import EXP, HEAD_DIM, SAMPLES_PER_FRAME
from takin_jax.types import Motion, Source

Params = dict[str, Any]


@struct.dataclass
class SpeechState:
  """What one chunk leaves for the next.

  Attributes:
    past: [past * 640] sound before the chunk.
    prefix: [P, M] normalised motion before the chunk.
    prefix_mask: [P] bool, False where there was none.
    chunk_index: [] number of the chunk.
    key: of the noise.
    unseeded: [] bool, the first sound will decide about the noise.
    idle: how silent it has been.
    blink: [] frames to the next blink.
    emotion: [K, 3] what was added to its last expression for the emotion.
  """

  past: jax.Array
  prefix: jax.Array
  prefix_mask: jax.Array
  chunk_index: jax.Array
  key: jax.Array
  unseeded: jax.Array
  idle: idle.IdleState
  blink: jax.Array
  emotion: jax.Array


def first_state(
  cfg: DiffusionConfig,
  chunks: ChunkConfig,
  motion_dim: int,
  seed: int | None = None,
  levels_db: np.ndarray | None = None,
) -> SpeechState:
  """The state before any sound.

  Args:
    cfg: the diffusion process.
    chunks: sizes.
    motion_dim: M.
    seed: of the noise that becomes motion; None: the sound decides, so that
      another sentence is spoken with other movements, the same with the same.
    levels_db: [T] `idle.levels` of the whole recording, where it is known.

  Raises:
    InputError: the seed is too large.
  """
  if seed is not None and not -(2**63) <= seed < 2**63:
    raise InputError(f'{seed} is not from -2^63 to 2^63 - 1.', 'seed')
  return SpeechState(
    past=np.zeros(chunks.past * SAMPLES_PER_FRAME, np.float32),
    prefix=np.zeros((cfg.prefix, motion_dim), np.float32),
    prefix_mask=np.zeros(cfg.prefix, bool),
    chunk_index=np.int32(0),
    key=jax.device_get(jax.random.key_data(jax.random.key(seed or 0))),
    unseeded=np.bool_(seed is None),
    idle=idle.first_state(levels_db),
    blink=blink.first_state(),
    emotion=np.zeros(((motion_dim - HEAD_DIM) // 3, 3), np.float32),
  )


def speech_step(
  config: Any,
  chunks: ChunkConfig,
  params: Params,
  state: SpeechState,
  sound: jax.Array,
  source: Source,
  controls: Controls,
) -> tuple[SpeechState, Motion]:
  """Motion of one chunk.

  Args:
    config: has the blocks `model`, `diffusion` and, if wanted, `infer`.
    chunks: sizes.
    params: has the groups `speech`, `denoiser` and `stats`; `emotions` to add
      a share of the emotion.
    state: what the chunk before left.
    sound: [(chunk + look_ahead) * 640] 16 kHz sound from the chunk's first
      frame on.
    source: the portrait.
    controls: of `Controls.as_arrays`.

  Returns:
    The state for the next chunk, and the portrait's motion [chunk, ...].
  """
  infer = InferConfig.of(config)
  key, unseeded = _stream_key(state, sound)
  wave = jnp.concatenate([state.past, sound])
  x = _generate(config, chunks, params, state, wave, source, controls, key)
  predicted, shift = _expressive(config, chunks, params, state, x, controls)
  silence, predicted = idle.settle(
    state.idle, sound, predicted, source.kp, infer.landmark_keypoints
  )
  if infer.landmark_keypoints:
    own = _neutral(params), source.kp, source.motion.exp
    predicted = predicted.replace(exp=retarget.own_lids(predicted.exp, *own))
  motion = retarget.speak(source.motion, predicted, controls)
  wait = state.blink
  if infer.landmark_keypoints:
    wait, exp = _blinking(state, chunks, key, motion.exp, source.kp, controls)
    motion = motion.replace(exp=exp)
  state = _after(state, chunks, wave, x).replace(
    key=jax.random.key_data(key),
    unseeded=unseeded,
    idle=silence,
    blink=wait,
    emotion=shift[-1],
  )
  return state, motion


def _generate(
  config: Any,
  chunks: ChunkConfig,
  params: Params,
  state: SpeechState,
  wave: jax.Array,
  source: Source,
  controls: Controls,
  key: jax.Array,
) -> jax.Array:
  """[chunk, M] normalised motion for sound with the past before it."""
  x = audio_to_motion.generate(
    config,
    params,
    audio_to_motion.encode_window(config.model, params, wave),
    audio_to_motion.Context(
      source_kp=source.kp,
      emotion=controls.emotion[None],
      has_emotion=controls.has_emotion[None],
      prefix=state.prefix[None],
      prefix_mask=state.prefix_mask[None],
    ),
    key,
    chunks.past,
    state.chunk_index * chunks.chunk,
  )
  return x[0, : chunks.chunk]


def _expressive(
  config: Any,
  chunks: ChunkConfig,
  params: Params,
  state: SpeechState,
  x: jax.Array,
  controls: Controls,
) -> tuple[Motion, jax.Array]:
  """Motion vectors of a chunk, and what the emotion adds to each of them."""
  predicted = Motion.from_vector(audio_to_motion.to_motion(params, x))
  shift = emotion.course(
    state.emotion,
    state.chunk_index == 0,
    params.get('emotions', {}).get('neutral'),
    controls,
    InferConfig.of(config).emotion_share,
    chunks.chunk,
  )
  return predicted.replace(exp=predicted.exp + shift), shift


def _blinking(
  state: SpeechState,
  chunks: ChunkConfig,
  key: jax.Array,
  exp: jax.Array,
  kp: jax.Array,
  controls: Controls,
) -> tuple[jax.Array, jax.Array]:
  """Frames to the next blink, and the expressions with those of the chunk."""
  key = jax.random.fold_in(key, state.chunk_index)
  key = jax.random.fold_in(key, 2)  # not that of any frame's noise
  chance = jax.random.uniform(key, (chunks.chunk,))
  wait, closed = blink.course(state.blink, controls.blinks_per_minute, chance)
  return wait, blink.close_lids(exp, kp, closed)


def _after(
  state: SpeechState, chunks: ChunkConfig, wave: jax.Array, x: jax.Array
) -> SpeechState:
  """The state with a chunk's sound and motion in its past."""
  made = jnp.ones(chunks.chunk, bool)
  return state.replace(
    past=wave[chunks.step_samples :][: state.past.shape[0]],
    prefix=jnp.concatenate([state.prefix, x])[chunks.chunk :],
    prefix_mask=jnp.concatenate([state.prefix_mask, made])[chunks.chunk :],
    chunk_index=state.chunk_index + 1,
  )


def _neutral(params: Params) -> jax.Array:
  """[3K] expression of an average face: named so, or the mean of all motion."""
  named = params.get('emotions', {}).get('neutral')
  return params['stats']['mean'][EXP] if named is None else named


def _stream_key(
  state: SpeechState, sound: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """The key of the stream's noise, and whether it still waits for a sound."""
  key = jax.random.wrap_key_data(state.key)
  # The times of its highest and lowest sample: the same in a louder copy, and
  # in one that was stored in another way.
  told = jax.random.fold_in(key, jnp.argmax(sound))
  told = jax.random.fold_in(told, jnp.argmin(sound))
  now = state.unseeded & (sound != 0).any()
  key = jnp.where(now, told, key)
  return key, state.unseeded & ~now
