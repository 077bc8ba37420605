"""Speech to motion window by window, and frames to the writer.

In: mono sound of any length. Out: motion, `window` frames at a time, joined by
the frames before as a condition (the prefix). The step is a pure function of a
state of fixed size, so memory stays constant however long the sound is.
"""

import collections
from collections.abc import Iterable, Iterator
import concurrent.futures
from typing import Any

from flax import struct
import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.config import build
from takin_jax.diffusion.motion import sample_motion
from takin_jax.diffusion.schedule import DiffusionConfig
from takin_jax.infer.controls import Controls, speak
from takin_jax.models.denoiser import DenoiserConfig, MotionDenoiser
from takin_jax.models.hubert import Hubert, HubertConfig
from takin_jax.types import SAMPLES_PER_FRAME, Motion, Source

# The speech encoder hears this much around a window, so that its states at the
# borders are those of uninterrupted speech.
PAST_SAMPLES = 25 * SAMPLES_PER_FRAME
FUTURE_SAMPLES = 10 * SAMPLES_PER_FRAME
STATE_SAMPLES = 320

_QUEUE = 8  # frames that may wait for the encoder

Params = dict[str, Any]


@struct.dataclass
class SpeechState:
  """What one window leaves for the next.

  Attributes:
    past: [PAST_SAMPLES] sound before the window.
    prefix: [P, M] normalised motion before the window.
    prefix_mask: [P] bool, False where there was none.
    window: [] number of the window.
    key: of the noise.
  """

  past: jax.Array
  prefix: jax.Array
  prefix_mask: jax.Array
  window: jax.Array
  key: jax.Array


@struct.dataclass
class SpeechControls:
  """What steers the motion; may change between windows.

  Attributes:
    emotion: [3K] mean expression.
    has_emotion: [] bool, False: none was asked for.
    controls: how the motion is put on the portrait.
  """

  emotion: jax.Array
  has_emotion: jax.Array
  controls: Controls


def first_state(
  cfg: DiffusionConfig, motion_dim: int, seed: int
) -> SpeechState:
  """The state before any sound."""
  return SpeechState(
    past=np.zeros(PAST_SAMPLES, np.float32),
    prefix=np.zeros((cfg.prefix, motion_dim), np.float32),
    prefix_mask=np.zeros(cfg.prefix, bool),
    window=np.int32(0),
    key=jax.random.key_data(jax.random.key(seed)),
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
  params: Params,
  state: SpeechState,
  sound: jax.Array,
  source: Source,
  wish: SpeechControls,
) -> tuple[SpeechState, Motion]:
  """Motion of one window.

  Args:
    config: has the blocks `model` and `diffusion`.
    params: has the groups `speech`, `denoiser` and `stats`.
    state: what the window before left.
    sound: [window * 640 + FUTURE_SAMPLES] 16 kHz sound from the window's
      first frame on.
    source: the portrait.
    wish: emotion and controls.

  Returns:
    The state for the next window, and the portrait's motion [window, ...].
  """
  cfg = build(DiffusionConfig, config.diffusion)
  wave = jnp.concatenate([state.past, sound])
  mean, std = params['stats']['mean'], params['stats']['std']
  exp_dim = wish.emotion.shape[-1]
  emotion = (wish.emotion - mean[:exp_dim]) / std[:exp_dim]
  key = jax.random.fold_in(jax.random.wrap_key_data(state.key), state.window)
  x = sample_motion(
    MotionDenoiser(build(DenoiserConfig, config.model.denoiser)),
    params['denoiser'],
    _hear(config.model, params, wave, cfg.window),
    {
      'emotion': emotion[None],
      'source_kp': source.kp.reshape(1, -1),
      'prefix': state.prefix[None],
      'prefix_mask': state.prefix_mask[None],
    },
    ~wish.has_emotion[None],
    cfg,
    key,
  )[0]
  end = PAST_SAMPLES + cfg.window * SAMPLES_PER_FRAME
  state = state.replace(
    past=wave[end - PAST_SAMPLES : end],
    prefix=x[cfg.window - cfg.prefix :],
    prefix_mask=jnp.ones_like(state.prefix_mask),
    window=state.window + 1,
  )
  predicted = Motion.from_vector(x * std + mean)
  return state, speak(source.motion, predicted, wish.controls)


def _hear(
  model: Any, params: Params, wave: jax.Array, frames: int
) -> jax.Array:
  """Speech states [L + 1, 1, 2 * frames, E] of the window inside `wave`."""
  hubert = Hubert(build(HubertConfig, model.speech))
  states = hubert.apply({'params': params['speech']}, wave[None])
  first = PAST_SAMPLES // STATE_SAMPLES
  return states[:, :, first : first + 2 * frames]


def windows(
  blocks: Iterable[np.ndarray], frames: int
) -> Iterator[tuple[np.ndarray, int]]:
  """Cuts sound into windows with the future that the speech encoder needs.

  Args:
    blocks: mono sound in pieces of any size.
    frames: video frames per window.

  Yields:
    [frames * 640 + FUTURE_SAMPLES] sound, silence after its end, and how many
    of the window's frames the sound covers.
  """
  step = frames * SAMPLES_PER_FRAME
  size = step + FUTURE_SAMPLES
  rest = np.zeros(0, np.float32)
  for block in blocks:
    rest = np.concatenate([rest, block])
    while len(rest) >= size:
      yield rest[:size], frames
      rest = rest[step:]
  while len(rest):
    sound = np.pad(rest[:size], (0, max(size - len(rest), 0)))
    covered = -(-len(rest) // SAMPLES_PER_FRAME)
    yield sound, min(covered, frames)
    rest = rest[step:]


def fetch(frames: Iterable[jax.Array]) -> Iterator[np.ndarray]:
  """Brings frames to the host, each after the next one was started."""
  previous = None
  for frame in frames:
    frame.copy_to_host_async()
    if previous is not None:
      yield np.asarray(previous)
    previous = frame
  if previous is not None:
    yield np.asarray(previous)


def write_all(
  writer: Any, frames: Iterable[np.ndarray], sound: Iterator[np.ndarray]
) -> None:
  """Encodes frames and sound on a thread of its own.

  Args:
    writer: has `write(image)` and `write_audio(samples)`.
    frames: [H, W, 3] uint8.
    sound: pieces of as much sound as goes with one frame.
  """
  pending = collections.deque()
  with concurrent.futures.ThreadPoolExecutor(1) as encoder:

    def submit(write, item):
      pending.append(encoder.submit(write, item))
      while len(pending) > _QUEUE:
        pending.popleft().result()

    for frame in frames:
      submit(writer.write, frame)
      samples = next(sound, None)
      if samples is not None:
        submit(writer.write_audio, samples)
    for future in pending:
      future.result()
