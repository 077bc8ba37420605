"""The sound of a part of a video, and how late it comes."""

import numpy as np
import pytest

from takin_jax.data.prepare import clip_sound, offset
from takin_jax.data.speech import lip_probe
from tests.data import media_files

RATE = 16_000


def speech(seconds=12, seed=0):
  """Noise in syllables, [S], and how open the lips are, [T] at 25 fps."""
  rng = np.random.default_rng(seed)
  syllables = rng.uniform(0, 1, 4 * seconds) ** 2
  times = np.arange(4 * seconds) / 4 + rng.uniform(0, 0.15, 4 * seconds)
  loud = np.interp(np.arange(seconds * RATE) / RATE, times, syllables)
  # Lips open 60 ms before it gets loud: so the probe has learnt it.
  audio = np.roll(0.3 * loud * rng.normal(size=len(loud)), 60 * RATE // 1000)
  return audio, loud[:: RATE // 25]


def landmarks(opening):
  """[T, 478, 3] of a face one high whose inner lips are so far apart."""
  points = np.zeros((len(opening), 478, 3), np.float32)
  points[:, 152, 1] = 1
  points[:, 14, 1] = 0.1 * opening
  return points


@pytest.mark.parametrize('lag_ms', [-300, -40, 0, 120, 400])
def test_the_lag_is_found(lag_ms):
  audio, opening = speech()
  audio = np.roll(audio, lag_ms * RATE // 1000)
  found = np.ones(len(opening), bool)
  found[50:60] = False
  points = landmarks(opening)
  points[~found] = 0
  got = offset.estimate(points, found, audio)
  assert got.lag_ms == pytest.approx(lag_ms, abs=20)
  assert got.clear and got.r > 0.5


def test_other_sound_is_not_clear():
  _, opening = speech(seed=1)
  audio, _ = speech(seed=2)
  found = np.ones(len(opening), bool)
  assert not offset.estimate(landmarks(opening), found, audio).clear


def test_silence_and_still_lips_give_no_estimate():
  audio, opening = speech(3)
  found = np.ones(len(opening), bool)
  points = landmarks(opening)
  assert offset.estimate(points, found, np.zeros_like(audio)) is None
  assert offset.estimate(landmarks(0 * opening), found, audio) is None
  assert offset.estimate(points, found, audio[:1000]) is None


def test_the_probe_can_be_fitted():
  audio, opening = speech(20)
  pcm = (audio * 32767).clip(-32768, 32767).astype(np.int16)

  class Head:
    landmarks = landmarks(opening)
    found = np.ones(len(opening), bool)
    audio = pcm

  weights = lip_probe.fit([Head()])
  assert weights.shape == lip_probe._weights().shape
  heard = lip_probe.without_trend(lip_probe._features(audio) @ weights)
  seen = lip_probe.seen_lips(Head.landmarks, Head.found)
  assert np.corrcoef(heard[: len(seen)], seen)[0, 1] > 0.8


def test_sound_is_read_in_ranges(tmp_path):
  tone = media_files.tone(25.0, hz=50)
  path = media_files.write_sound(tmp_path / 'a.wav', tone, RATE)
  sound = clip_sound.ClipSound(path)
  for first, last in [(-500, 900), (300, 700), (170_000, 330_000)]:
    wanted = tone[max(first, 0) : last]
    wanted = np.concatenate([np.zeros(max(-first, 0)), wanted])
    np.testing.assert_allclose(sound.take(first, last), wanted, atol=1e-3)
  assert len(sound.take(399_000, 500_000)) == 1000
  assert len(sound.take(500_000, 600_000)) == 0


def test_a_file_without_sound_reads_as_empty(tmp_path):
  path = media_files.write_video(tmp_path / 'a.mp4', media_files.counter(5))
  assert len(clip_sound.ClipSound(path).take(-500, 500)) == 0
