import numpy as np
import pytest
from skimage import data

from takin_jax.data.faces import CropBox, moved_inside
from takin_jax.errors import InputError
from takin_jax.infer.inputs import crop as crop_lib


@pytest.mark.parametrize(
  ('text', 'mode'),
  [('auto', 'auto'), ('none', 'none'), ('-3,4.5,200', (-3.0, 4.5, 200.0))],
)
def test_crop_modes(text, mode):
  assert crop_lib.parse_crop(text) == mode


def test_a_bad_crop_names_its_option():
  with pytest.raises(InputError, match='driving_crop: here'):
    crop_lib.parse_crop('here', 'driving_crop')


def test_the_default_portrait_is_found_and_fits():
  image = data.astronaut()
  crop = crop_lib.portrait_crop(image, 'auto', 'it')
  assert 120 < crop.size < 250
  assert 0 <= crop.x <= 512 - crop.size
  assert 0 <= crop.y <= 512 - crop.size


@pytest.mark.parametrize(
  ('start', 'moved'), [(-5, 0), (30, 30), (-50, -38), (120, 108), (103, 100)]
)
def test_a_crop_is_moved_inside_but_not_far(start, moved):
  box = moved_inside(CropBox(start, 30, 100), 200, 150)
  assert box == (moved, 30, 100)


def test_a_crop_larger_than_the_picture_stays():
  box = CropBox(-70, 0, 300)
  assert moved_inside(box, 200, 300) == box


def test_two_faces_are_told(caplog):
  image = np.concatenate([data.astronaut()] * 2, 1)
  crop_lib.portrait_crop(image, 'auto', 'it')
  assert caplog.messages == ['it shows 2 faces: the largest is animated.']


def test_no_face_names_the_picture_and_the_remedy():
  with pytest.raises(InputError, match='^crop: wall.png: .*x,y,size'):
    crop_lib.portrait_crop(
      np.full((99, 99, 3), 200, np.uint8), 'auto', 'wall.png'
    )
