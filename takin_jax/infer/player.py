"""Speaking while listening: sound comes in as it is spoken, video goes out.

In: blocks of sound from a pipe, or from a file at the speed of speech. Out: a
live video, and a report: how late frames were, and how many were left out.
"""

from collections.abc import Iterable, Iterator
import contextlib
import dataclasses
import os
import queue
import threading
import time
from typing import Any

import numpy as np

from takin_jax.data import media
from takin_jax.face import FRAME_RATE_HZ, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from takin_jax.infer.frames import Encoder, fetch
from takin_jax.infer.session import Session
from takin_jax.types import Motion

BLOCK = SAMPLE_RATE_HZ // 50
MARGIN_S = 0.04  # playback starts so long after the first frame is there
_WAITING = 500  # blocks of a pipe, 10 s
DROP_S = 0.2  # a frame that is later than this is not made


def paced(path: str | os.PathLike[str]) -> Iterator[np.ndarray]:
  """A sound file in blocks of 20 ms, each when its last sample is spoken."""
  start = time.monotonic()
  for i, block in enumerate(media.iter_audio(path, block=BLOCK), 1):
    ahead_s = start + i * BLOCK / SAMPLE_RATE_HZ - time.monotonic()
    if ahead_s > 0:
      time.sleep(ahead_s)
    yield block


class Arrivals:
  """Blocks with the time they came at, read on a thread of its own.

  Args:
    blocks: sound; reading may wait, and may fail.
  """

  def __init__(self, blocks: Iterable[np.ndarray]):
    # A source that is faster than speech waits, instead of filling the memory.
    self._queue: queue.Queue = queue.Queue(_WAITING)
    args = (blocks,)
    threading.Thread(target=self._read, args=args, daemon=True).start()

  def __iter__(self) -> Iterator[tuple[np.ndarray, float]]:
    while True:
      block, came_s = self._queue.get()
      if isinstance(block, BaseException):
        raise block
      if block is None:
        return
      yield block, came_s

  def _read(self, blocks: Iterable[np.ndarray]) -> None:
    end = None
    try:
      for block in blocks:
        self._queue.put((block, time.monotonic()))
    except Exception as error:  # raised again where it is waited for
      end = error
    self._queue.put((end, 0.0))


@dataclasses.dataclass
class Report:
  """How it went; times in seconds.

  Attributes:
    frames: written.
    late: of them, after their time.
    worst_s: how late the latest was.
    dropped: not made in time; the frame before stood still.
    delays_s: for every chunk, from the arrival of the last sample it needs to
      its first frame.
  """

  frames: int = 0
  late: int = 0
  worst_s: float = 0.0
  dropped: int = 0
  delays_s: list[float] = dataclasses.field(default_factory=list)

  def __str__(self) -> str:
    delays = 1000 * np.array(self.delays_s or [np.nan])
    median, high = np.percentile(delays, (50, 95))
    return (
      f'{self.frames} frames, {self.frames / FRAME_RATE_HZ:.1f} s; '
      f'{self.late} late (by {1000 * self.worst_s:.0f} ms at most), '
      f'{self.dropped} dropped; from sound to frame {median:.0f} ms '
      f'(p95 {high:.0f}; first {delays[0]:.0f})'
    )


class Player:
  """Turns the chunks of a session into a live video.

  Args:
    session: listens.
    writer: has `write` and `write_audio`.
    keep_time: leave frames out that come too late.
  """

  def __init__(self, session: Session, writer: Any, keep_time: bool):
    self.report = Report()
    self._session, self._writer, self._keep_time = session, writer, keep_time
    self._start_s: float | None = None  # when frame 0 is shown
    self._sound = np.zeros(0, np.float32)
    self._last: np.ndarray | None = None

  def play(self, arrivals: Iterable[tuple[np.ndarray, float]]) -> Report:
    """Runs until the sound ends, or until Ctrl-C, which ends a microphone."""
    with Encoder() as encode:
      came_s = time.monotonic()
      with contextlib.suppress(KeyboardInterrupt):
        for block, came_s in arrivals:
          self._sound = np.concatenate([self._sound, block])
          for motions, count in self._session.motions(block):
            self._show(encode, motions, count, came_s)
      for motions, count in self._session.last_motions():
        self._show(encode, motions, count, came_s)
    return self.report

  def _show(
    self, encode: Encoder, motions: Motion, count: int, came_s: float
  ) -> None:
    """Makes and writes the frames of a chunk."""
    skipped = self._overdue(count)
    for _ in range(skipped):
      self._write(encode, self._last)
    self.report.dropped += skipped
    started = self._session.render(motions, count, skipped)
    for i, image in enumerate(fetch(started)):
      now_s = time.monotonic()
      if not i:
        self.report.delays_s.append(now_s - came_s)
      if self._start_s is None:
        self._start_s = now_s + MARGIN_S
      late_s = now_s - self._due_s(self.report.frames)
      self.report.late += late_s > 0
      self.report.worst_s = max(self.report.worst_s, late_s)
      self._last = image
      self._write(encode, image)

  def _overdue(self, count: int) -> int:
    """How many of the next `count` frames are too late to be made."""
    if not self._keep_time or self._last is None:
      return 0
    late_s = time.monotonic() - DROP_S - self._due_s(self.report.frames)
    return min(max(int(late_s * FRAME_RATE_HZ), 0), count)

  def _due_s(self, frame: int) -> float:
    return self._start_s + frame / FRAME_RATE_HZ

  def _write(self, encode: Encoder, image: np.ndarray) -> None:
    self.report.frames += 1
    encode(self._writer.write, image)
    sound, self._sound = np.split(self._sound, [SAMPLES_PER_FRAME])
    encode(self._writer.write_audio, sound)
