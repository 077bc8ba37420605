"""Batches on their way to the devices, ahead of the step that uses them."""

from collections.abc import Callable, Iterator
import queue
import threading
from typing import Any

_DEPTH = 2  # batches on the devices that wait for their step


class Feed:
  """Iterates over batches that a thread has put on the devices already.

  Args:
    batches: iterator with `get_state()`.
    put: moves a batch to the devices.
  """

  def __init__(
    self, batches: Iterator[Any], put: Callable[[Any], dict[str, Any]]
  ):
    self._batches, self._put = batches, put
    self._position = batches.get_state()
    self._queue: queue.Queue[Any] = queue.Queue(_DEPTH)
    self._closed = threading.Event()
    self._thread = threading.Thread(target=self._fill, daemon=True)
    self._thread.start()

  def __next__(self) -> dict[str, Any]:
    item = self._queue.get()
    if isinstance(item, Exception):
      raise item
    batch, self._position = item
    return batch

  def get_state(self) -> Any:
    """Where an uninterrupted run would go on after the last batch given."""
    return self._position

  def close(self) -> None:
    """Ends the thread; batches that were made ahead are dropped."""
    self._closed.set()
    while self._thread.is_alive():
      try:
        self._queue.get(timeout=0.01)
      except queue.Empty:
        continue

  def _fill(self) -> None:
    try:
      while not self._closed.is_set():
        batch = self._put(next(self._batches))
        self._queue.put((batch, self._batches.get_state()))
    except Exception as error:  # raised again where the batch is wanted
      self._queue.put(error)
