"""Frames from the device to the writer, nobody waiting for anybody."""

import collections
from collections.abc import Callable, Iterable, Iterator
import concurrent.futures
from typing import Any

import jax
import numpy as np

_QUEUE = 8  # frames that may wait for the encoder


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
