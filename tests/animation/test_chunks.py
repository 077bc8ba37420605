import numpy as np
import pytest

from takin_jax.animation.chunks import ChunkConfig, Cutter

SPEECH = np.random.default_rng(0).uniform(-0.5, 0.5, 45 * 640).astype('f')
CHUNKS = ChunkConfig(chunk=20, look_ahead=5, past=3)


def blocks(samples: np.ndarray, size: int):
  for start in range(0, len(samples), size):
    yield samples[start : start + size]


def cut(parts):
  """All sound windows, and how many frames of each are meant."""
  cutter = Cutter(CHUNKS)
  windows = [(w, CHUNKS.chunk) for part in parts for w in cutter.feed(part)]
  return windows + list(cutter.flush())


@pytest.mark.parametrize('size', [100, 640, 7_000, 10**6])
def test_windows_do_not_depend_on_the_blocks(size):
  got, want = cut(blocks(SPEECH, size)), cut([SPEECH])
  assert [count for _, count in got] == [20, 20, 5]
  for (a, _), (b, _) in zip(got, want, strict=True):
    np.testing.assert_array_equal(a, b)


def test_windows_cover_the_sound_and_what_follows():
  padded = np.pad(SPEECH, (0, 10**5))
  for i, (sound, _) in enumerate(cut([SPEECH])):
    start = i * CHUNKS.step_samples
    np.testing.assert_array_equal(sound, padded[start:][: len(sound)])
    assert len(sound) == 25 * 640


@pytest.mark.parametrize(('samples', 'frames'), [(1, 1), (640, 1), (641, 2)])
def test_every_sample_has_a_frame(samples, frames):
  assert [count for _, count in cut([SPEECH[:samples]])] == [frames]


def test_a_chunk_of_nothing_is_refused():
  with pytest.raises(ValueError, match='cannot be cut'):
    ChunkConfig(chunk=0)
