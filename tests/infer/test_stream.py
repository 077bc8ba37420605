import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax.infer import stream
from takin_jax.infer.controls import Controls
from takin_jax.types import SAMPLES_PER_FRAME
from tests.infer import tiny

SPEECH = np.random.default_rng(0).uniform(-0.5, 0.5, 45 * 640).astype('f')


def blocks(samples: np.ndarray, size: int):
  for start in range(0, len(samples), size):
    yield samples[start : start + size]


@pytest.mark.parametrize('size', [100, 640, 7_000, 10**6])
def test_windows_do_not_depend_on_the_blocks(size):
  got = list(stream.windows(blocks(SPEECH, size), tiny.WINDOW))
  want = list(stream.windows([SPEECH], tiny.WINDOW))
  assert [count for _, count in got] == [20, 20, 5]
  for (a, _), (b, _) in zip(got, want, strict=True):
    np.testing.assert_array_equal(a, b)


def test_windows_cover_the_sound_and_what_follows():
  step = tiny.WINDOW * SAMPLES_PER_FRAME
  padded = np.pad(SPEECH, (0, 10**5))
  for i, (sound, _) in enumerate(stream.windows([SPEECH], tiny.WINDOW)):
    np.testing.assert_array_equal(sound, padded[i * step :][: len(sound)])


@pytest.mark.parametrize(('samples', 'frames'), [(1, 1), (640, 1), (641, 2)])
def test_every_sample_has_a_frame(samples, frames):
  windows = list(stream.windows([SPEECH[:samples]], tiny.WINDOW))
  assert [count for _, count in windows] == [frames]


def motions(engine, sound, seed=0, emotion=None):
  """All motion of some sound, [T, ...], and the last state."""
  source = engine.source(np.full((64, 64, 3), 128, np.uint8))
  wish = stream.speech_controls(emotion, Controls(), 63)
  state = stream.first_state(engine.diffusion, 70, seed)
  parts = []
  for window, count in stream.windows([sound], tiny.WINDOW):
    state, motion = engine.speech(state, window, source, wish)
    parts.append(np.asarray(motion.to_vector())[:count])
  return np.concatenate(parts), state


def test_one_frame_for_every_640_samples(engine):
  motion, state = motions(engine, SPEECH)
  assert motion.shape == (45, 70)
  assert np.isfinite(motion).all()
  assert int(state.window) == 3


def test_the_same_seed_gives_the_same_motion(engine):
  np.testing.assert_array_equal(
    motions(engine, SPEECH)[0], motions(engine, SPEECH)[0]
  )
  assert (motions(engine, SPEECH)[0] != motions(engine, SPEECH, 1)[0]).any()


def test_emotion_changes_the_motion(engine):
  plain = motions(engine, SPEECH)[0]
  happy = motions(engine, SPEECH, emotion=np.full(63, 0.02, np.float32))[0]
  assert (plain != happy).any()


def test_a_window_knows_what_came_before(engine):
  """The first window passes on its last frames and the end of its sound."""
  sound = SPEECH[: 40 * 640]
  other = sound.copy()
  other[: 10 * 640] *= 0.1
  a, b = motions(engine, sound)[0], motions(engine, other)[0]
  assert (a[20:] != b[20:]).any()


def test_the_state_has_one_size(engine):
  """However long the sound was."""
  short, long = (motions(engine, SPEECH[: n * 640])[1] for n in (5, 45))
  assert jax.tree.map(jnp.shape, short) == jax.tree.map(jnp.shape, long)


def test_fetch_starts_a_frame_before_it_waits_for_the_last():
  started = []

  def frames():
    for i in range(4):
      started.append(i)
      yield jnp.full((2, 2, 3), i)

  fetched = stream.fetch(frames())
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
  stream.write_all(writer, iter(range(50)), iter('abc'))
  assert writer.frames == list(range(50))
  assert writer.sound == list('abc')
  assert writer.threads.isdisjoint({threading.get_ident()})


def test_a_failing_writer_ends_the_work():
  with pytest.raises(OSError, match='disk full'):
    stream.write_all(Writer(fail_at=3), iter(range(10**9)), iter(()))
