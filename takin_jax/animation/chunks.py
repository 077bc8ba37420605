"""How sound is cut into chunks: every chunk is heard with some sound around it.

In: sound in pieces of any size. Out: the sound that each chunk of motion needs.
"""

from collections.abc import Iterator
import dataclasses

import numpy as np

from takin_jax.face import SAMPLES_PER_FRAME


@dataclasses.dataclass(frozen=True)
class ChunkConfig:
  """Sizes, in frames of 40 ms.

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
LIVE = ChunkConfig(chunk=8, look_ahead=5, past=62)


class Cutter:
  """Cuts sound that arrives in pieces of any size into what chunks need.

  Args:
    cfg: sizes.

  Attributes:
    pending: [S] sound that waits for its chunk to be complete.
  """

  def __init__(self, cfg: ChunkConfig):
    self._cfg = cfg
    self.pending = np.zeros(0, np.float32)

  def feed(self, samples: np.ndarray) -> Iterator[np.ndarray]:
    """Adds [S] sound; yields [sound_samples] for every chunk that is due."""
    cfg = self._cfg
    self.pending = np.concatenate([self.pending, samples])
    while len(self.pending) >= cfg.sound_samples:
      sound = self.pending[: cfg.sound_samples]
      self.pending = self.pending[cfg.step_samples :]
      yield sound

  def flush(self) -> Iterator[tuple[np.ndarray, int]]:
    """Yields what is left, silence after it, and its number of frames."""
    cfg = self._cfg
    while len(self.pending):
      sound = self.pending[: cfg.sound_samples]
      covered = -(-len(self.pending) // SAMPLES_PER_FRAME)
      self.pending = self.pending[cfg.step_samples :]
      pad = cfg.sound_samples - len(sound)
      yield np.pad(sound, (0, pad)), min(covered, cfg.chunk)
