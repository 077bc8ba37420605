"""Writing video with sound."""

import os

import av
import numpy as np
import pytest

from takin_jax.data import media
from tests.data import media_files


def test_written_sound_and_pictures_are_in_step(tmp_path):
  path = tmp_path / 'v.mp4'
  sound = np.zeros(3 * 16_000, np.float32)
  with media.VideoWriter(path) as video:
    for k in range(75):
      flash = k % 25 == 10
      image = np.full((63, 97, 3), 255 * flash, np.uint8)
      if flash:
        sound[k * 640 : (k + 1) * 640] = media_files.tone(0.04)
      video.write(image)
      video.write_audio(sound[k * 640 : (k + 1) * 640])
  assert [p.name for p in tmp_path.iterdir()] == ['v.mp4']
  frames = list(media.read_frames(path))
  assert len(frames) == 75 and frames[0].shape == (64, 98, 3)
  flashes = [k for k, f in enumerate(frames) if f.mean() > 128]
  assert flashes == [10, 35, 60]
  loud = np.abs(media.read_audio(path)) > 0.2
  onsets = [int(np.argmax(loud[16_000 * s :])) for s in range(3)]
  np.testing.assert_allclose(onsets, 6_400, atol=160)  # 10 ms
  with av.open(str(path)) as container:
    codecs = [s.codec_context.name for s in container.streams]
    lengths = [float(s.duration * s.time_base) for s in container.streams]
  assert codecs == ['h264', 'aac']
  assert lengths == pytest.approx([3, 3], abs=0.1)


def test_sound_may_come_first_and_in_one_piece(tmp_path):
  path = tmp_path / 'v.mp4'
  with media.VideoWriter(path) as video:
    video.write_audio(media_files.tone())
    for image in media_files.counter(25):
      video.write(image)
  assert media_files.gain(path) == pytest.approx(0.5, abs=0.05)


def test_a_failure_leaves_nothing_behind(tmp_path):
  path = tmp_path / 'v.mp4'
  path.write_bytes(b'old')
  with pytest.raises(KeyError), media.VideoWriter(path) as video:
    video.write(np.zeros((64, 64, 3), np.uint8))
    raise KeyError
  assert [p.name for p in tmp_path.iterdir()] == ['v.mp4']
  assert path.read_bytes() == b'old'


def test_a_video_needs_a_frame(tmp_path):
  with (
    pytest.raises(media.MediaError, match='no frame'),
    media.VideoWriter(tmp_path / 'v.mp4') as video,
  ):
    video.write_audio(media_files.tone())
  assert not list(tmp_path.iterdir())


def test_bad_output_places(tmp_path, monkeypatch):
  with pytest.raises(media.MediaError, match='not a folder'):
    media.VideoWriter(tmp_path / 'nowhere' / 'v.mp4')
  with pytest.raises(media.MediaError, match='is a folder'):
    media.VideoWriter(tmp_path)

  def refuse(*args, **kwargs):
    raise PermissionError(13, 'Permission denied')

  monkeypatch.setattr(os, 'open', refuse)  # root may write everywhere
  with pytest.raises(media.MediaError, match='not writable'):
    media.VideoWriter(tmp_path / 'v.mp4')
  assert not list(tmp_path.iterdir())
