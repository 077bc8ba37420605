"""One portrait that listens: sound in pieces of any size in, frames out.

The only thing that changes while it runs is a state of fixed size and the sound
that waits for its chunk to be complete; both can be kept and brought back, for
a speaker who is interrupted.
"""

from collections.abc import Callable, Iterable, Iterator
import dataclasses
from typing import Any

import jax
import numpy as np

from takin_jax.animation import chunks as chunks_lib
from takin_jax.animation.chunks import ChunkConfig
from takin_jax.animation.controls import Controls
from takin_jax.animation.speech_step import SpeechState
from takin_jax.errors import InputError
from takin_jax.face import FRAME_RATE_HZ
from takin_jax.infer import frames as frames_lib
from takin_jax.infer.engine import Engine
from takin_jax.infer.programs import (
  EncodeSource,
  ExtractMotion,
  GenerateMotion,
  Render,
)
from takin_jax.types import Motion, Source

# (middle of a chunk in seconds, [S] sound heard for it) -> [3K] expression.
ChangingEmotion = Callable[[float, np.ndarray], np.ndarray]
Emotion = np.ndarray | ChangingEmotion

_FRAME_MS = 1000 // FRAME_RATE_HZ
_MOST_MS = 5000


@dataclasses.dataclass(frozen=True)
class Snapshot:
  """Where a session stood: see `Session.snapshot`."""

  state: SpeechState
  pending: np.ndarray
  frame_count: int


class Session:
  """A stream of speech on one portrait.

  Args:
    engine: the model.
    source: the portrait, of `engine.encode_source`.
    controls: how the motion is put on the portrait.
    emotion: what `resolve` takes.
    chunks: how sound is cut.
    seed: of the noise that becomes motion; None: the sound decides.
    levels_db: [T] `idle.levels` of all that will be heard, where it is known.
    batch: frames that are rendered at a time, a divisor of the chunk.
    resolve: makes an `Emotion` of what a caller gives as `emotion`.

  Attributes:
    controls: may be set between calls, and holds from the next chunk on.
    frame_count: number of frames that were started.
  """

  def __init__(
    self,
    engine: Engine,
    source: Source,
    controls: Controls | None = None,
    emotion: Any = None,
    *,
    chunks: ChunkConfig = chunks_lib.LIVE,
    seed: int | None = None,
    levels_db: np.ndarray | None = None,
    batch: int = 1,
    resolve: Callable[[Any], Emotion | None] = lambda emotion: emotion,
  ):
    if chunks.chunk % batch:
      raise ValueError(f'{batch} does not divide {chunks.chunk} frames.')
    self.chunks, self.controls = chunks, controls or Controls()
    self._engine, self._source = engine, source
    self._seed, self._levels_db = seed, levels_db
    self._batch, self._resolve = batch, resolve
    self.emotion = emotion
    self.reset()

  @property
  def emotion(self) -> Emotion | None:
    """[3K] mean expression, a function that gives it for a chunk, or None.

    May be set between calls; the next chunk goes over to it.
    """
    return self._emotion

  @emotion.setter
  def emotion(self, emotion: Any) -> None:
    self._emotion = self._resolve(emotion)

  def compile(self) -> None:
    """Makes all programs ready, side by side."""
    self._engine.compile(*programs_of(self.chunks, self._batch))

  def warm_up(self) -> None:
    """Runs every program once, on silence."""
    self.compile()
    before = self.snapshot()
    for _ in self.play([np.zeros(1, np.float32)]):
      break
    self.rewind(before)

  def reset(self) -> None:
    """Forgets all that was heard."""
    self.frame_count = 0
    self._state = self._engine.first_state(
      self.chunks, self._seed, self._levels_db
    )
    self._cutter = chunks_lib.Cutter(self.chunks)

  def snapshot(self) -> Snapshot:
    """What `rewind` takes; costs nothing."""
    return Snapshot(self._state, self._cutter.pending, self.frame_count)

  def rewind(self, to: Snapshot) -> None:
    """Goes on as if nothing had come after the snapshot."""
    self._state, self._cutter.pending = to.state, to.pending
    self.frame_count = to.frame_count

  def feed(self, samples: np.ndarray) -> Iterator[np.ndarray]:
    """Adds [S] float32 sound at 16 kHz.

    Yields:
      [H, W, 3] uint8, the frames that it completes.
    """
    motions = self.motions(samples)
    yield from frames_lib.fetch(self._started(motions))

  def flush(self) -> Iterator[np.ndarray]:
    """The last frames, when the sound has ended; as `feed`."""
    yield from frames_lib.fetch(self._started(self.last_motions()))

  def play(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """All frames for sound in blocks of any size; as `feed` and `flush`.

    Frames are started before those of the chunk before are fetched.
    """

    def motions() -> Iterator[tuple[Motion, int]]:
      for samples in blocks:
        yield from self.motions(samples)
      yield from self.last_motions()

    yield from frames_lib.fetch(self._started(motions()))

  def motions(self, samples: np.ndarray) -> Iterator[tuple[Motion, int]]:
    """Adds [S] sound.

    Yields:
      The portrait's motion [chunk, ...] and the number of its frames that are
      meant, for every chunk that is complete.
    """
    for sound in self._cutter.feed(np.asarray(samples, np.float32)):
      yield self._next(sound), self.chunks.chunk

  def last_motions(self) -> Iterator[tuple[Motion, int]]:
    """What is left when the sound has ended, as `motions`."""
    for sound, count in self._cutter.flush():
      yield self._next(sound), count

  def render(
    self, motions: Motion, count: int, first: int = 0
  ) -> Iterator[jax.Array]:
    """Starts frames `first` to `count`: [n, H, W, 3] uint8 at a time."""
    batch, chunk = self._batch, self.chunks.chunk
    for i in range(first, count, batch):
      begin = min(i, chunk - batch)
      frames = self._engine.render(self._source, motions, begin, batch)
      self.frame_count += min(batch, count - i)
      whole = begin == i and i + batch <= count
      yield frames if whole else frames[i - begin : count - begin]

  def _started(
    self, motions: Iterable[tuple[Motion, int]]
  ) -> Iterator[jax.Array]:
    for motion, count in motions:
      yield from self.render(motion, count)

  def _next(self, sound: np.ndarray) -> Motion:
    emotion, state = self._emotion, self._state
    if callable(emotion):
      chunk = self.chunks.chunk
      middle_s = (int(state.chunk_index) + 0.5) * chunk / FRAME_RATE_HZ
      emotion = emotion(middle_s, np.concatenate([state.past, sound]))
    controls = self.controls.replace(emotion=emotion)
    controls = controls.as_arrays(self._engine.exp_dim)
    self._state, motions = self._engine.generate_motion(
      self.chunks, state, sound, self._source, controls
    )
    return motions


def programs_of(chunks: ChunkConfig, batch: int = 1) -> tuple:
  """The programs that a session runs, and those that encode its portrait."""
  speak = GenerateMotion(chunks), Render(chunks.chunk, batch)
  return ExtractMotion(), EncodeSource(), *speak


def live_chunks(chunk_ms: int, look_ahead_ms: int) -> ChunkConfig:
  """How sound is cut for a live session.

  Args:
    chunk_ms: length of a chunk in milliseconds.
    look_ahead_ms: sound that is heard before it is made.

  Raises:
    InputError: not a multiple of a frame, or out of range.
  """
  least = {'chunk_ms': _FRAME_MS, 'look_ahead_ms': 0}
  given = {'chunk_ms': chunk_ms, 'look_ahead_ms': look_ahead_ms}
  for name, value in given.items():
    if not least[name] <= value <= _MOST_MS or value % _FRAME_MS:
      raise InputError(
        f'{value} is not a multiple of {_FRAME_MS} milliseconds from '
        f'{least[name]} to {_MOST_MS}.',
        name,
      )
  return dataclasses.replace(
    chunks_lib.LIVE,
    chunk=chunk_ms // _FRAME_MS,
    look_ahead=look_ahead_ms // _FRAME_MS,
  )
