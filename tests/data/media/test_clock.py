"""Picture and sound on one clock, whatever their time stamps say."""

from fractions import Fraction

import numpy as np
import pytest

from takin_jax.data import media
from tests.data import media_files
from tests.data.media_files import counter, onset_s, tone, write_tracks


def shown(count, start_s=0.0, step_s=0.04):
  return [(start_s + k * step_s, x) for k, x in enumerate(counter(count))]


def numbers(path):
  """Which frame of `counter` each frame of a video shows."""
  return np.array([f.mean() / 2 for f in media.read_frames(path)])


@pytest.mark.parametrize('late_s', [1.0, 0.5, 0.1])
def test_late_sound_follows_silence(tmp_path, late_s):
  path = write_tracks(tmp_path / 'v.mkv', shown(25), [(late_s, tone())])
  sound = media.read_audio(path)
  assert onset_s(sound) == pytest.approx(late_s, abs=0.005)
  assert len(sound) == pytest.approx(16_000 * (1 + late_s), abs=80)


def test_sound_before_the_first_picture_is_cut(tmp_path):
  sound = np.concatenate([np.zeros(16_000, np.float32), tone()])
  path = write_tracks(tmp_path / 'v.mkv', shown(25, 0.75), [(0.0, sound)])
  assert onset_s(media.read_audio(path)) == pytest.approx(0.25, abs=0.005)
  assert len(numbers(path)) == 25
  # Ten sounds one after the other, most of them before the picture.
  parts = [(k * 0.2, sound[3200 * k : 3200 * (k + 1)]) for k in range(10)]
  path = write_tracks(tmp_path / 'w.mkv', shown(25, 0.75), parts)
  assert onset_s(media.read_audio(path)) == pytest.approx(0.25, abs=0.005)


def test_a_file_without_pictures_begins_with_its_sound(tmp_path):
  path = write_tracks(tmp_path / 'a.mka', sounds=[(2.0, tone())])
  assert len(media.read_audio(path)) == 16_000


def test_a_hole_is_silence(tmp_path):
  sound = tone(3.0)
  parts = [(0.0, sound[:16_000]), (2.0, sound[32_000:])]
  path = write_tracks(tmp_path / 'v.mkv', shown(75), parts)
  heard = media.read_audio(path)
  assert len(heard) == 48_000
  assert not heard[16_400:31_600].any()
  np.testing.assert_allclose(heard[32_400:], sound[32_400:], atol=1e-3)


def test_jitter_is_no_hole(tmp_path):
  sound = tone(1.0)
  parts = [
    (k / 50 + 0.015 * (k % 2), sound[320 * k : 320 * (k + 1)])
    for k in range(50)
  ]
  path = write_tracks(tmp_path / 'v.mkv', shown(25), parts)
  np.testing.assert_allclose(media.read_audio(path), sound, atol=1e-3)


def test_any_frame_times(tmp_path):
  times = np.cumsum([0, 0.04, 0.2, 0.011, 0.013, 0.5, 0.04, 0.04])
  images = list(zip(times, counter(8), strict=True))
  path = write_tracks(tmp_path / 'v.mkv', images, [(0.0, tone())])
  seen = numbers(path)
  at = np.arange(len(seen)) / 25
  wanted = np.abs(times[:, None] - at).argmin(0)
  np.testing.assert_allclose(seen, wanted, atol=0.6)
  assert len(seen) == pytest.approx(25 * times[-1], abs=1)


@pytest.mark.parametrize('gap_s', [3600.0, 1e8])
def test_endless_gaps_are_refused(tmp_path, gap_s):
  images = [*shown(4), (gap_s, counter(1)[0])]
  path = write_tracks(tmp_path / 'v.mkv', images)
  with pytest.raises(media.MediaError, match='gap of'):
    list(media.read_frames(path))
  path = write_tracks(
    tmp_path / 'a.mka', sounds=[(0.0, tone()), (gap_s, tone())]
  )
  with pytest.raises(media.MediaError, match='gap of'):
    media.read_audio(path)


def test_files_behind_one_another(tmp_path):
  first = media_files.write_video(tmp_path / 'a.ts', counter(25))
  second = media_files.write_video(tmp_path / 'b.ts', counter(50)[25:])
  both = tmp_path / 'c.ts'
  both.write_bytes(first.read_bytes() + second.read_bytes())
  seen = numbers(both)
  assert len(seen) == pytest.approx(50, abs=1)
  assert np.abs(seen - np.arange(len(seen))).max() < 2


@pytest.mark.parametrize(
  ('aspect', 'shape'),
  [
    (Fraction(2), (64, 192, 3)),
    (Fraction(1, 2), (128, 96, 3)),
    (Fraction(10, 11), (70, 96, 3)),
    (Fraction(1), (64, 96, 3)),
  ],
)
def test_the_aspect_of_pixels(tmp_path, aspect, shape):
  path = write_tracks(tmp_path / 'v.mkv', shown(3), aspect=aspect)
  assert next(media.read_frames(path)).shape == shape


def test_real_files(test_data):
  cases = test_data / 'cases'
  sound = media.read_audio(cases / 'v_audio_late.mp4')
  assert onset_s(sound) == pytest.approx(1.0, abs=0.02)
  sound = media.read_audio(cases / 'v_hole.mkv')
  assert len(sound) == pytest.approx(64_000, abs=320)
  assert next(media.read_frames(cases / 'v_sar.mp4')).shape == (412, 408, 3)
  upright = next(media.read_frames(cases / 'v_rot_meta.mp4'))
  assert upright.shape == (412, 410, 3)
  assert len(media.read_audio(cases / 'a_10ms.wav')) == 160
