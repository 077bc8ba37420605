"""Following a face through a video."""

import cv2
import numpy as np
import pytest
from skimage import data

from takin_jax.data.faces import crop_image, find_crop, landmarks, track
from takin_jax.data.faces.crop import CropBox
from takin_jax.data.faces.track import crop_between, track_face


@pytest.fixture(autouse=True)
def only_cascades(monkeypatch):
  """What is found does not depend on the user's cache."""
  monkeypatch.setattr(landmarks, '_installed', lambda: False)


@pytest.fixture(scope='module')
def head():
  """[160, 160, 3] a face with something around it."""
  image = data.astronaut()[:256, 96:352]
  return cv2.resize(image, (160, 160), interpolation=cv2.INTER_AREA)


def shown(head, left, top=40, scale=1.0):
  """The head in a picture of 480 x 240."""
  picture = np.full((240, 480, 3), 120, np.uint8)
  size = round(scale * len(head))
  picture[top : top + size, left : left + size] = cv2.resize(head, (size, size))
  return picture


def test_a_still_head_has_a_still_square_of_whole_pixels(head):
  seen = track_face(shown(head, 100 + i % 3) for i in range(25))
  assert seen.found.all() and len(seen.squares) == 25
  assert (seen.squares == seen.squares[0]).all()
  assert (seen.squares == np.round(seen.squares)).all()
  want = find_crop(shown(head, 101))
  np.testing.assert_allclose(seen.squares[0], want, atol=8)


def test_a_wandering_head_is_followed(head):
  """It stays near its place in the square, and does not jump."""
  lefts = np.linspace(10, 300, 75).round().astype(int)
  seen = track_face(shown(head, left) for left in lefts)
  places = (lefts - seen.squares[:, 0]) / seen.squares[:, 2]
  assert np.ptp(lefts) > 2 * seen.squares[0, 2]
  assert np.ptp(places) < 0.35
  assert np.abs(np.diff(seen.squares[:, 0])).max() < 8


def test_a_zoom_changes_the_square_and_not_the_head(head):
  scales = np.linspace(0.7, 1.15, 75)
  seen = track_face(shown(head, 120, 20, s) for s in scales)
  sizes = scales / seen.squares[:, 2]
  assert sizes.max() / sizes.min() < 1.28 < scales.max() / scales.min()


def test_frames_without_a_face_are_known_one_by_one(head):
  black = np.zeros((240, 480, 3), np.uint8)
  frames = [shown(head, 100)] * 20
  for i in (0, 1, 2, 11, 12):
    frames[i] = black
  seen = track_face(frames)
  assert list(np.flatnonzero(~seen.found)) == [0, 1, 2, 11, 12]
  assert seen.first == 3


def test_a_face_that_comes_late_is_found(head):
  wall = np.full((240, 480, 3), 120, np.uint8)
  seen = track_face([wall] * 101 + [shown(head, 100)] * 9)
  assert seen.first == 101


def test_no_face_at_all():
  assert track_face([np.zeros((120, 160, 3), np.uint8)] * 7) is None


def test_a_square_between_pixels_is_cut_out_between_them():
  ramp = np.tile(np.arange(100, dtype=np.uint8)[:, None, None] * 2, (1, 100, 3))
  whole = crop_between(ramp, np.array([10.0, 20.0, 40.0]), 40)
  np.testing.assert_array_equal(
    whole, crop_image(ramp, CropBox(10, 20, 40), 40)
  )
  half = crop_between(ramp, np.array([10.0, 20.5, 40.0]), 40)
  np.testing.assert_allclose(half.astype(int), whole.astype(int) + 1, atol=1)
  small = crop_between(ramp, np.array([10.25, 20.25, 60.5]), 20)
  rows = 2 * (20.25 + (np.arange(20) + 0.5) * 60.5 / 20 - 0.5)
  np.testing.assert_allclose(small[:, 10, 0], rows, atol=1.5)


def test_wrong_looks_at_the_end_do_not_move_the_square():
  at = np.arange(0, 100, 5)
  boxes = np.tile([100.0, 80.0, 200.0], (20, 1))
  boxes[-2:] = (180.0, 150.0, 90.0)
  squares = track._calm(at, boxes, 96, (480, 640))
  np.testing.assert_array_equal(squares, np.tile(boxes[0], (96, 1)))
