"""Pictures that lie on their side, large ones, and several faces."""

import cv2
import numpy as np
import pytest
from skimage import data as pictures

from takin_jax.data import faces, media
from takin_jax.data.faces import cascade, find, tiles
from takin_jax.data.faces.landmarks import MODEL_ENV

TURNS = {
  1: 'by a quarter to the right',
  2: 'upside down',
  3: 'by a quarter to the left',
}


@pytest.fixture(scope='module')
def astronaut():
  return pictures.astronaut()


@pytest.fixture(params=['OpenCV', 'MediaPipe'])
def detector(request, monkeypatch):
  """Both ways of finding faces, one after the other."""
  if request.param == 'OpenCV':
    monkeypatch.setattr(find, 'local_model', lambda: None)
    return
  pytest.importorskip('mediapipe')
  folder = request.getfixturevalue('test_data')
  monkeypatch.setenv(MODEL_ENV, str(folder / 'nets' / 'face_landmarker.task'))


@pytest.mark.usefixtures('detector')
@pytest.mark.parametrize('turns', [1, 2, 3])
def test_the_right_turn_is_named(astronaut, turns):
  turned = np.ascontiguousarray(np.rot90(astronaut, turns))
  assert not faces.find_faces(turned)
  with pytest.raises(media.MediaError, match=TURNS[turns]) as error:
    faces.find_crop(turned)
  assert '\n' not in str(error.value)


@pytest.mark.usefixtures('detector')
def test_a_small_face_in_a_large_picture(astronaut):
  large = np.full((4320, 7680, 3), 128, np.uint8)
  small = cv2.resize(astronaut, (400, 400), interpolation=cv2.INTER_AREA)
  large[3000:3400, 5000:5400] = small
  (crop,) = faces.find_faces(large)
  x, y = crop.x + crop.size / 2, crop.y + crop.size / 2
  assert abs(x - 5175) < 20 and abs(y - 3094) < 25
  assert 90 < crop.size < 170


@pytest.mark.usefixtures('detector')
def test_several_faces(astronaut):
  face = astronaut[:256, 96:352]
  picture = np.full((400, 1100, 3), 128, np.uint8)
  picture[20:276, 20:276] = face
  picture[10:394, 300:684] = cv2.resize(face, (384, 384))
  picture[20:276, 800:1056] = face[:, ::-1]
  found = faces.find_faces(picture)
  assert len(found) == 3
  largest = found[0]
  assert 300 < largest.x + largest.size / 2 < 684
  assert largest.size > 1.3 * found[1].size
  assert faces.find_crop(picture) == largest


def test_crops_that_would_fill_the_memory(astronaut):
  for crop in ((0, 0, 1e9), (-1e9, -1e9, 2e9), (0, 0, 2100)):
    with pytest.raises(media.MediaError, match='times as large'):
      faces.find_crop(astronaut, crop)
  for crop in ((0, 0, 0.4), (0, 0, -5), (1e300, 0, 10), (0, 0, 0)):
    with pytest.raises(media.MediaError, match='not in the picture'):
      faces.find_crop(astronaut, crop)
  assert faces.find_crop(astronaut, (-10, 0, 300)) == (-10, 0, 300)


@pytest.mark.parametrize('shape', [(4, 720), (720, 4), (8, 8), (5, 20_000)])
def test_thin_pictures_show_no_face(shape, monkeypatch):
  monkeypatch.setattr(find, 'local_model', lambda: None)
  with pytest.raises(media.MediaError, match='no face'):
    faces.find_crop(np.zeros((*shape, 3), np.uint8))


def test_boxes_in_each_other_are_one():
  boxes = np.array([[0, 0, 10, 10], [2, 2, 9, 9], [8, 0, 20, 12]], np.float32)
  kept = tiles.distinct(boxes)
  assert kept.tolist() == [[8, 0, 20, 12], [0, 0, 10, 10]]


def test_an_upright_picture_stays(astronaut):
  assert cascade.quarter_turns(astronaut) == 0
  assert cascade.quarter_turns(np.zeros((64, 64, 3), np.uint8)) == 0
