"""Reading and writing video, sound and pictures, good ones and bad ones."""

import struct

import numpy as np
import pytest

from takin_jax.data import media
from tests.data import media_files

# Sound.


@pytest.mark.parametrize('rate', [8_000, 16_000, 22_050, 44_100, 48_000])
def test_sample_rates(tmp_path, rate):
  sound = media_files.tone(rate=rate)
  path = media_files.write_sound(tmp_path / 'a.wav', sound, rate)
  assert media_files.gain(path) == pytest.approx(0.5, abs=0.01)


def test_24_bit(tmp_path):
  sound = media_files.tone(rate=48_000)
  path = media_files.write_sound(tmp_path / 'a.wav', sound, 48_000, 'pcm_s24le')
  assert media_files.gain(path) == pytest.approx(0.5, abs=0.01)


def test_truncated_mp3_gives_what_is_there(tmp_path):
  sound = media_files.tone(2.0, 44_100)
  path = media_files.write_sound(
    tmp_path / 'a.mp3', sound, 44_100, 'libmp3lame'
  )
  data = path.read_bytes()
  path.write_bytes(data[: len(data) // 2 + 77])
  assert media_files.gain(path, seconds=1.0) == pytest.approx(0.5, abs=0.05)


def test_silence_is_sound(tmp_path):
  sound = np.zeros(16_000, np.float32)
  path = media_files.write_sound(tmp_path / 'a.wav', sound, 16_000)
  assert not media.read_audio(path).any()


def test_no_samples(tmp_path):
  sound = np.zeros(16_000, np.float32)
  path = media_files.write_sound(tmp_path / 'a.wav', sound, 16_000)
  data = path.read_bytes()
  head = data.index(b'data')
  path.write_bytes(data[: head + 4] + struct.pack('<I', 0))
  with pytest.raises(media.MediaError, match='no audio samples'):
    media.read_audio(path)


def test_blocks_are_the_whole(tmp_path):
  sound = media_files.tone(3.3, 44_100)
  path = media_files.write_sound(tmp_path / 'a.wav', sound, 44_100)
  blocks = list(media.iter_audio(path, block=7_000))
  assert {len(b) for b in blocks[:-1]} == {7_000}
  np.testing.assert_array_equal(np.concatenate(blocks), media.read_audio(path))


def test_video_without_sound(tmp_path):
  path = media_files.write_video(tmp_path / 'v.mp4', media_files.counter(5))
  with pytest.raises(media.MediaError, match='no audio stream'):
    media.read_audio(path)


@pytest.mark.parametrize(
  'read',
  [media.read_audio, media.read_image, lambda p: next(media.read_frames(p))],
)
def test_missing_and_foreign_files(tmp_path, read):
  path = tmp_path / 'thing.bin'
  with pytest.raises(media.MediaError, match='thing.bin is not a file'):
    read(path)
  with pytest.raises(media.MediaError, match='is not a file'):
    read(tmp_path)
  for content in (b'', b'no media, only text. ' * 100):
    path.write_bytes(content)
    with pytest.raises(media.MediaError, match='thing.bin') as error:
      read(path)
    assert '\n' not in str(error.value)


# Video.


@pytest.mark.parametrize(
  ('fps', 'count'), [(25, 50), (30, 60), (50, 100), (12.5, 25), (23.976, 48)]
)
def test_frames_are_the_nearest_in_time(tmp_path, fps, count):
  path = media_files.write_video(
    tmp_path / 'v.mp4', media_files.counter(count), fps
  )
  frames = list(media.read_frames(path))
  assert len(frames) == pytest.approx(25 * count / fps, abs=1)
  number = np.array([f.mean() / 2 for f in frames])
  wanted = np.arange(len(frames)) / 25 * fps
  assert np.abs(number - wanted).max() < 0.5 + 1.2  # 1.2: coding


def test_rotation_metadata(tmp_path):
  image = np.zeros((64, 96, 3), np.uint8)
  image[:32] = 255
  path = media_files.write_video(tmp_path / 'v.mp4', [image] * 3)
  data = bytearray(path.read_bytes())
  matrix = data.index(b'tkhd') + 4 + 40
  turn = (0, 1 << 16, 0, -(1 << 16), 0, 0, 64 << 16, 0, 1 << 30)
  data[matrix : matrix + 36] = struct.pack('>9i', *turn)
  path.write_bytes(data)
  frame = next(media.read_frames(path))
  assert frame.shape == (96, 64, 3)  # a quarter to the right: top is right
  assert frame[:, 40:].mean() > 240 and frame[:, :24].mean() < 15


@pytest.mark.parametrize('suffix', ['mp4', 'ts'])
def test_broken_tail_gives_the_good_frames(tmp_path, suffix):
  path = media_files.write_video(
    tmp_path / f'v.{suffix}', media_files.noise(50)
  )
  whole = list(media.read_frames(path))
  data = path.read_bytes()
  path.write_bytes(data[: len(data) // 2])
  frames = list(media.read_frames(path))
  assert 15 < len(frames) < 35
  np.testing.assert_array_equal(frames[9], whole[9])


def test_video_without_frames(tmp_path):
  path = media_files.write_video(tmp_path / 'v.mp4', media_files.noise(5))
  data = path.read_bytes()
  path.write_bytes(data[: data.index(b'mdat') + 8])
  with pytest.raises(media.MediaError, match='no readable video frames'):
    list(media.read_frames(path))


def test_sound_is_no_video(tmp_path):
  path = media_files.write_sound(tmp_path / 'a.wav', media_files.tone(), 16_000)
  with pytest.raises(media.MediaError, match='no video stream'):
    list(media.read_frames(path))
