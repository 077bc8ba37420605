"""One portrait that listens: sound in pieces of any size in, frames out.

The only thing that changes while it runs is a state of fixed size and the sound
that waits for its chunk to be complete; both can be kept and brought back, for
a speaker who is interrupted.
"""

from collections.abc import Callable, Iterator
import dataclasses

import jax
import numpy as np

from takin_jax.animation import chunks, speech_step
from takin_jax.animation.controls import Controls
from takin_jax.face import FRAME_RATE_HZ
from takin_jax.infer.engine import Engine
from takin_jax.types import Motion, Source

# (middle of a chunk in seconds, [S] sound heard for it) -> what steers it.
Changing = Callable[[float, np.ndarray], Controls]


@dataclasses.dataclass(frozen=True)
class Snapshot:
  """Where a session stood: see `Session.snapshot`."""

  state: speech_step.SpeechState
  waiting: np.ndarray
  frames: int


class Session:
  """A stream of speech on one portrait.

  Args:
    engine: compiled for speech.
    source: the portrait, of `engine.source`.
    wish: emotion and controls, or a function that gives them for every chunk;
      may be set anew between calls.
    seed: of the noise that becomes motion.

  Attributes:
    frames: number of frames handed out.
  """

  def __init__(
    self,
    engine: Engine,
    source: Source,
    wish: Controls | Changing,
    seed: int = 0,
  ):
    self.wish, self.frames = wish, 0
    self._engine, self._source, self._seed = engine, source, seed
    self.reset()

  def reset(self) -> None:
    """Forgets all that was heard."""
    self._state = self._engine.first_state(self._seed)
    self._cutter = chunks.Cutter(self._engine.plan)

  def snapshot(self) -> Snapshot:
    """What `rewind` takes; costs nothing."""
    return Snapshot(self._state, self._cutter.pending, self.frames)

  def rewind(self, to: Snapshot) -> None:
    """Goes on as if nothing had come after the snapshot."""
    self._state, self._cutter.pending = to.state, to.waiting
    self.frames = to.frames

  def motions(self, samples: np.ndarray) -> Iterator[tuple[Motion, int]]:
    """Adds [S] float32 sound at 16 kHz.

    Yields:
      The portrait's motion [chunk, ...] and the number of its frames that are
      meant, for every chunk that is complete.
    """
    for sound in self._cutter.feed(samples):
      yield self._next(sound), self._engine.plan.chunk

  def last_motions(self) -> Iterator[tuple[Motion, int]]:
    """What is left when the sound has ended, as `motions`."""
    for sound, count in self._cutter.flush():
      yield self._next(sound), count

  def render(
    self, motions: Motion, count: int, first: int = 0
  ) -> Iterator[jax.Array]:
    """Starts frames `first` to `count`: [n, H, W, 3] uint8 at a time."""
    batch, chunk = self._engine.batch, self._engine.plan.chunk
    for i in range(first, count, batch):
      begin = min(i, chunk - batch)
      frames = self._engine.frames(self._source, motions, begin)
      self.frames += min(batch, count - i)
      whole = begin == i and i + batch <= count
      yield frames if whole else frames[i - begin : count - begin]

  def feed(self, samples: np.ndarray) -> Iterator[jax.Array]:
    """Adds [S] sound; starts the frames that it completes, as `render`."""
    for motions, count in self.motions(samples):
      yield from self.render(motions, count)

  def flush(self) -> Iterator[jax.Array]:
    """Starts the last frames, when the sound has ended."""
    for motions, count in self.last_motions():
      yield from self.render(motions, count)

  def _next(self, sound: np.ndarray) -> Motion:
    wish, state = self.wish, self._state
    if callable(wish):
      chunk = self._engine.plan.chunk
      middle_s = (int(state.chunk_index) + 0.5) * chunk / FRAME_RATE_HZ
      wish = wish(middle_s, np.concatenate([state.past, sound]))
    wish = wish.as_arrays(3 * self._source.kp.shape[-2])
    self._state, motions = self._engine.speech(state, sound, self._source, wish)
    return motions
