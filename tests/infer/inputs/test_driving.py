"""Driving videos: which frames, which part of them, and what is held."""

import logging

import numpy as np
import pytest

from takin_jax.data.faces import CropBox, Track
from takin_jax.errors import InputError
from takin_jax.infer.inputs import driving
from takin_jax.infer.inputs.driving import DrivingVideo, read_driving_video
from tests.infer import make


def test_frames_without_a_face_hold_the_picture_before():
  """And before the first face its picture: the very objects."""
  pictures = [np.full((8, 8, 3), i, np.uint8) for i in range(7)]
  found = np.array([0, 0, 1, 1, 0, 0, 1], bool)
  track = Track(np.tile([0.0, 0.0, 8.0], (7, 1)), found)
  crops = list(DrivingVideo(lambda: iter(pictures), track).crops(8))
  assert [crop[0, 0, 0] for crop in crops] == [2, 2, 2, 3, 3, 3, 6]
  assert crops[0] is crops[2] and crops[3] is crops[5]


def test_held_pictures_are_not_made_again(pipe, portrait, monkeypatch):
  made, extract = [], pipe.engine.extract_motion

  def count(picture):
    made.append(picture)
    return extract(picture)

  monkeypatch.setattr(pipe.engine, 'extract_motion', count)
  still = np.stack([make.NOISE] * 4)
  video = DrivingVideo(
    lambda: iter(still),
    Track(np.tile([0.0, 8.0, 80.0], (4, 1)), np.array([0, 1, 0, 0], bool)),
  )
  monkeypatch.setattr(
    'takin_jax.infer.pipeline.read_driving_video', lambda *_: video
  )
  frames = list(pipe.drive(portrait, 'x.mp4', crop='none'))
  assert len(frames) == 4 and len(made) == 1


def test_a_picture_is_held_as_it_is(pipe, portrait):
  clip = pipe.drive(portrait, portrait, crop='none', driving_crop='none')
  video = read_driving_video(portrait, 'none')
  assert video.still and video.sample_rate_hz is None
  frames = [frame for frame, _ in zip(clip, range(3), strict=False)]
  np.testing.assert_array_equal(frames[0], frames[2])
  assert sum(1 for _ in video.frames()) == 250


@pytest.mark.parametrize(
  ('head', 'picture'),
  [
    (b'\xff\xd8\xff\xe0', True),
    (b'\x89PNG\r\n\x1a\n', True),
    (b'RIFF\0\0\0\0WEBPVP8 ', True),
    (b'\0\0\0\x18ftypheic', True),
    (b'\0\0\0\x18ftypisom', False),
    (b'RIFF\0\0\0\0AVI LIST', False),
    (b'', False),
  ],
)
def test_pictures_are_known_by_their_first_bytes(tmp_path, head, picture):
  path = tmp_path / 'x'
  path.write_bytes(head)
  assert driving._is_picture(path) is picture
  assert not driving._is_picture(tmp_path / 'nowhere')


def test_a_given_square_is_followed_as_it_is(tmp_path):
  path = make.write_video(tmp_path / 'x.mp4', frames=3)
  video = read_driving_video(path, '10,20,30')
  assert video.track == CropBox(10, 20, 30)
  assert len(list(video.crops(16))) == 3
  with pytest.raises(InputError, match='^driving_crop: .*not in the picture'):
    read_driving_video(path, (999, 0, 9))


def case(test_data, name):
  path = test_data / 'cases' / name
  if not path.is_file():
    pytest.skip(f'no {name}')
  return path


def test_a_fade_from_black(test_data, caplog):
  """The reference is the first frame with a face, and it is said."""
  path = case(test_data, 'v_fade3.mp4')
  with caplog.at_level(logging.WARNING):
    video = read_driving_video(path)
  assert 1 <= video.track.first <= 4
  assert 'frames show no face: the last expression is held' in caplog.text


@pytest.mark.parametrize('name', ['v_pan.mp4', 'v_zoom.mp4'])
def test_a_moving_camera_is_followed(test_data, name):
  track = read_driving_video(case(test_data, name)).track
  assert track.found.all()
  assert (np.ptp(track.squares, 0) > 8).any()
