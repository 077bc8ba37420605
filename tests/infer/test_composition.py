"""Faces composed into pictures: rest, seams, sides, several faces."""

import numpy as np
import pytest

from takin_jax.data.faces import CropBox
from takin_jax.infer.composition import (
  Composition,
  Layer,
  Placement,
  compose,
)


@pytest.fixture
def picture():
  """Smooth noise, [120, 160, 3] uint8."""
  rng = np.random.default_rng(0)
  small = rng.integers(0, 256, (12, 16, 3), np.uint8)
  return np.kron(small, np.ones((10, 10, 1), np.uint8))


def layer(flow=(0.0, 0.0), level=0.0):
  """The same motion and paint everywhere."""
  return Layer(
    np.broadcast_to(np.float32(flow), (16, 16, 2)),
    np.full((64, 64, 3), level, np.float32),
  )


def test_nothing_moves_at_rest(picture):
  frame = Composition(picture, [CropBox(30, 20, 80)])([layer()])
  # The enlarged copy is sampled between its pixels: a grey level, no more
  # than the picture's own edges cost.
  assert np.abs(frame.astype(int) - picture).mean() < 1.0
  still = compose(
    picture, Placement(picture.shape, CropBox(30, 20, 80)), layer()
  )
  np.testing.assert_array_equal(still, picture)


def test_all_outside_the_crop_stays(picture):
  frame = Composition(picture, [CropBox(30, 20, 80)])([layer((0.2, 0.1), 40)])
  outside = np.ones(picture.shape[:2], bool)
  outside[20:100, 30:110] = False
  np.testing.assert_array_equal(frame[outside], picture[outside])
  assert np.abs(frame.astype(int) - picture)[~outside].mean() > 10


def test_no_seam():
  """On a plain picture only paint shows: it fades in, level by level."""
  picture = np.full((120, 160, 3), 100, np.uint8)
  frame = Composition(picture, [CropBox(30, 20, 80)])([layer(level=60)])
  assert frame[60, 70, 0] == 160
  assert abs(int(frame[60, 30, 0]) - 100) <= 3
  steps = np.abs(np.diff(frame[60].astype(int), axis=0))
  # smoothstep over 8 % of 80 pixels: at most 1.5 / 6.4 of 60 levels.
  assert steps.max() <= 16


@pytest.mark.parametrize('side', ['left', 'right', 'top', 'bottom'])
def test_a_side_at_the_edge_does_not_fade(side):
  picture = np.full((100, 100, 3), 100, np.uint8)
  crop = {
    'left': CropBox(0, 10, 60),
    'right': CropBox(40, 10, 60),
    'top': CropBox(10, -20, 60),
    'bottom': CropBox(10, 40, 60),
  }[side]
  frame = Composition(picture, [crop])([layer(level=60)])
  at = {
    'left': frame[40, 0],
    'right': frame[40, 99],
    'top': frame[0, 40],
    'bottom': frame[99, 40],
  }[side]
  assert at.tolist() == [160] * 3


def test_flow_is_in_halves_of_the_crop(picture):
  """A crop that is the whole picture moves rigidly by flow * side / 2."""
  square = np.ascontiguousarray(picture[:, :120])
  frame = Composition(square, [CropBox(0, 0, 120)])([layer((1 / 6, 0))])
  moved = np.abs(frame[:, :100].astype(int) - square[:, 10:110]).mean()
  assert moved < 4.0  # edges between the enlarged pixels; 10 pixels off: 60
  assert np.abs(frame[:, :100].astype(int) - square[:, :100]).mean() > 20


def test_overlapping_faces_add_up():
  picture = np.full((100, 140, 3), 100, np.uint8)
  crops = [CropBox(10, 10, 80), CropBox(50, 10, 80)]
  frame = Composition(picture, crops)([layer(level=20), layer(level=30)])
  assert frame[50, 70].tolist() == [150] * 3
  assert frame[50, 30].tolist() == [120] * 3
  assert frame[50, 110].tolist() == [130] * 3


def test_a_video_frame_equals_a_picture(picture):
  crop, change = CropBox(20.5, 10, 90), layer((0.05, -0.03), 25)
  video = compose(picture, Placement(picture.shape, crop), change)
  still = Composition(picture, [crop])([change])
  assert np.abs(video.astype(int) - still).mean() < 1.5


def test_a_crop_beside_the_picture_is_refused(picture):
  with pytest.raises(ValueError, match='outside the picture of 160 x 120'):
    Composition(picture, [CropBox(200, 0, 50)])
