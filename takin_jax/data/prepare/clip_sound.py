"""The sound of one part of a video after the other."""

from pathlib import Path

import numpy as np

from takin_jax.data import media


class ClipSound:
  """Reads a sound once, in rising order, at constant memory.

  Args:
    path: a video or audio file; one without sound reads as empty.
  """

  def __init__(self, path: Path):
    self._blocks = media.iter_audio(path)
    self._kept = np.zeros(0, np.float32)
    self._start = 0  # number of the first sample that is kept
    self._ended = False

  def take(self, first: int, last: int) -> np.ndarray:
    """Samples of a range.

    Args:
      first: number of the first sample; before 0 there is silence. Not less
        than that of the call before.
      last: number of the sample behind the last one.

    Returns:
      [last - first] float32 at 16 kHz, fewer where the sound ends before;
      empty where there is none.
    """
    while not self._ended and self._start + len(self._kept) < last:
      self._kept = np.concatenate([self._kept, self._next()])
    drop = min(max(first - self._start, 0), len(self._kept))
    self._kept, self._start = self._kept[drop:], self._start + drop
    sound = self._kept[: max(last - self._start, 0)]
    if first < 0 and len(sound):
      sound = np.concatenate([np.zeros(-first, np.float32), sound])
    return sound

  def _next(self) -> np.ndarray:
    try:
      return next(self._blocks)
    except (StopIteration, media.MediaError):
      self._ended = True
      return np.zeros(0, np.float32)
