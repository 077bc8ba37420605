import threading

import jax.numpy as jnp
import pytest

from takin_jax.infer import frames as frames_lib


def test_fetch_starts_a_frame_before_it_waits_for_the_last():
  started = []

  def frames():
    for i in range(4):
      started.append(i)
      yield jnp.full((1, 2, 2, 3), i)

  fetched = frames_lib.fetch(frames())
  assert next(fetched)[0, 0, 0] == 0
  assert started == [0, 1]
  assert [int(f[0, 0, 0]) for f in fetched] == [1, 2, 3]


class Writer:
  """Remembers what is written, on which thread."""

  def __init__(self, fail_at: int = -1):
    self.frames, self.sound, self.threads = [], [], set()
    self.fail_at = fail_at

  def write(self, frame):
    if len(self.frames) == self.fail_at:
      raise OSError('disk full')
    self.threads.add(threading.get_ident())
    self.frames.append(frame)

  def write_audio(self, samples):
    self.sound.append(samples)


def test_frames_are_encoded_in_order_on_another_thread():
  writer = Writer()
  frames_lib.write_all(writer, iter(range(50)), iter('abc'))
  assert writer.frames == list(range(50))
  assert writer.sound == list('abc')
  assert writer.threads.isdisjoint({threading.get_ident()})


def test_a_failing_writer_ends_the_work():
  with pytest.raises(OSError, match='disk full'):
    frames_lib.write_all(Writer(fail_at=3), iter(range(10**9)), iter(()))
