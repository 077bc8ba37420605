"""Frames from the device to whoever takes them, nobody waiting for anybody."""

import collections
from collections.abc import Callable, Iterable, Iterator
import concurrent.futures
import os
from pathlib import Path
from typing import Any

import jax
import numpy as np

from takin_jax.data import media

_QUEUE = 8  # frames that may wait for the encoder

# (frames made so far, all frames or None where nobody knows).
Progress = Callable[[int, int | None], None]


class Clip:
  """Frames and their sound, made while they are taken; again each time.

  Args:
    start: compiles what is needed and gives the frames, [H, W, 3] uint8 each.
    sound: gives [S] or [S, C] float32 at a time, as long as a frame.
    sample_rate_hz: of the sound; None: there is none.
    frame_count: number of frames, where it is known.
    channels: of the sound.
  """

  def __init__(
    self,
    start: Callable[[], Iterator[np.ndarray]],
    sound: Callable[[], Iterator[np.ndarray]],
    sample_rate_hz: int | None,
    frame_count: int | None = None,
    channels: int = 1,
  ):
    self._start, self._sound = start, sound
    self.sample_rate_hz, self.frame_count = sample_rate_hz, frame_count
    self.channels = channels

  def __iter__(self) -> Iterator[np.ndarray]:
    """[H, W, 3] uint8, 25 a second."""
    return self._start()

  def sound(self) -> Iterator[np.ndarray]:
    """[S] float32 at `sample_rate_hz`, in pieces as long as a frame.

    [S, C] where there are several channels.
    """
    return self._sound()

  def save(
    self, path: str | os.PathLike[str], progress: Progress | None = None
  ) -> Path:
    """Writes a video file, which appears when it is whole.

    Args:
      path: the file to make: .mp4, .mov, .mkv, .webm or .gif.
      progress: called when all is ready, and after every frame.

    Returns:
      The path.

    Raises:
      MediaError: the file cannot be written.
    """
    progress = progress or (lambda made, of: None)
    sound = {'rate': self.sample_rate_hz, 'channels': self.channels}
    with media.VideoWriter(path, **sound) as writer:
      frames = iter(self)
      progress(0, self.frame_count)
      write_all(writer, self._counted(frames, progress), self.sound())
    return Path(path)

  def _counted(
    self, frames: Iterator[np.ndarray], progress: Progress
  ) -> Iterator[np.ndarray]:
    for made, frame in enumerate(frames, 1):
      yield frame
      progress(made, self.frame_count)


def fetch(started: Iterable[jax.Array]) -> Iterator[np.ndarray]:
  """Brings frames to the host, each after the next ones were started.

  Args:
    started: [n, H, W, 3] uint8 each.

  Yields:
    [H, W, 3] uint8.
  """
  previous = None
  for frames in started:
    frames.copy_to_host_async()
    if previous is not None:
      yield from np.asarray(previous)
    previous = frames
  if previous is not None:
    yield from np.asarray(previous)


class Encoder:
  """Calls a writer on a thread of its own; use it as a context manager.

  Leaving it waits for what was given to it; an error of the writer is raised
  at the next call.
  """

  def __enter__(self) -> 'Encoder':
    self._pool = concurrent.futures.ThreadPoolExecutor(1)
    self._pending = collections.deque()
    return self

  def __exit__(self, error_type: Any, *_: Any) -> None:
    try:
      if error_type is None:
        for future in self._pending:
          future.result()
    finally:
      self._pool.shutdown(cancel_futures=True)

  def __call__(self, write: Callable[[Any], None], item: Any) -> None:
    """Has `write(item)` done, after all that came before."""
    self._pending.append(self._pool.submit(write, item))
    while len(self._pending) > _QUEUE:
      self._pending.popleft().result()


def write_all(
  writer: Any, frames: Iterable[np.ndarray], sound: Iterator[np.ndarray]
) -> None:
  """Encodes frames and sound on a thread of its own.

  Args:
    writer: has `write(image)` and `write_audio(samples)`.
    frames: [H, W, 3] uint8.
    sound: pieces of as much sound as goes with one frame.
  """
  with Encoder() as encode:
    for frame in frames:
      encode(writer.write, frame)
      samples = next(sound, None)
      if samples is not None:
        encode(writer.write_audio, samples)
