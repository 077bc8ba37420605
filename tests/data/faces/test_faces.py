"""Finding faces and cutting them out."""

import io
import urllib.request

import cv2
import numpy as np
import pytest
from skimage import data as pictures

from takin_jax.data import faces, media
from takin_jax.data.faces import cascade, find, landmarks

# MediaPipe's landmark box of the astronaut: x0, y0, x1, y1.
ASTRONAUT_BOX = np.array([178.0, 71.0, 268.0, 170.0])


@pytest.fixture(autouse=True)
def cascade_only(monkeypatch):
  """The default path, whatever this machine has installed."""
  monkeypatch.setattr(find, 'local_model', lambda: None)


@pytest.fixture(scope='module')
def astronaut():
  return pictures.astronaut()


def assert_crops_agree(found, wanted, size=0.2, place=0.1):
  """Crops agree within these shares of the wanted size."""
  assert found.size == pytest.approx(wanted.size, rel=size)
  middle = np.array([found.x + found.size / 2, found.y + found.size / 2])
  wanted_middle = (wanted.x + wanted.size / 2, wanted.y + wanted.size / 2)
  assert np.abs(middle - wanted_middle).max() < place * wanted.size


def test_the_astronaut(astronaut):
  crop = faces.find_crop(astronaut)
  assert_crops_agree(crop, faces.crop_around(ASTRONAUT_BOX))
  assert len(faces.find_faces(astronaut)) == 1


@pytest.mark.parametrize('scale', [0.25, 4.0])
def test_small_and_large_pictures(astronaut, scale):
  image = cv2.resize(astronaut, None, fx=scale, fy=scale)
  wanted = faces.crop_around(ASTRONAUT_BOX * scale)
  assert_crops_agree(faces.find_crop(image), wanted)


@pytest.mark.parametrize('angle_deg', [-25, 25])
def test_a_tilted_head(astronaut, angle_deg):
  middle = tuple((ASTRONAUT_BOX[:2] + ASTRONAUT_BOX[2:]) / 2)
  turn = cv2.getRotationMatrix2D(middle, angle_deg, 1.0)
  image = cv2.warpAffine(
    astronaut, turn, (512, 512), borderMode=cv2.BORDER_REPLICATE
  )
  wanted = faces.crop_around(ASTRONAUT_BOX)
  assert_crops_agree(faces.find_crop(image), wanted, size=0.3)


def test_a_face_at_the_edge(astronaut):
  left = 192  # the cheek is outside
  wanted = faces.crop_around(ASTRONAUT_BOX - [left, 0, left, 0])
  crop = faces.find_crop(astronaut[:, left:])
  assert_crops_agree(crop, wanted)
  assert crop.x < 0


def test_the_largest_of_several_faces(astronaut):
  half = np.zeros_like(astronaut)
  half[:256, :256] = cv2.resize(astronaut, (256, 256))
  crop, second = faces.find_faces(np.hstack([half, astronaut]))
  wanted = faces.crop_around(ASTRONAUT_BOX + [512, 0, 512, 0])
  assert_crops_agree(crop, wanted)
  assert second.size < 0.6 * crop.size


@pytest.mark.parametrize('name', ['coffee', 'chelsea', 'rocket'])
def test_no_face_says_what_to_try(name):
  with pytest.raises(media.MediaError, match='no face.*x,y,size') as error:
    faces.find_crop(getattr(pictures, name)())
  assert '\n' not in str(error.value)


def test_no_face_in_an_empty_picture():
  assert faces.detect_boxes(np.zeros((300, 200, 3), np.uint8)).shape == (0, 4)
  assert faces.detect_boxes(np.zeros((5, 5, 3), np.uint8)).shape == (0, 4)


def test_given_crops(astronaut):
  wide = astronaut[:300]
  assert faces.find_crop(wide, 'none') == (106, 0, 300)
  assert faces.find_crop(wide, (-10, 20, 100)) == (-10, 20, 100)
  for bad in ((0, 0, 0), (600, 0, 50), (-80, 0, 50)):
    with pytest.raises(media.MediaError, match='not in the picture'):
      faces.find_crop(wide, bad)
  for bad in ('face', (1, 2)):
    with pytest.raises(media.MediaError, match='auto, none or x,y,size'):
      faces.find_crop(wide, bad)


def test_the_training_crop():
  crop = faces.crop_around(np.array([100.0, 200.0, 180.0, 300.0]))
  assert crop == (55, 159, 170)
  assert faces.clamp_crop(crop, 200, 300) == (30, 130, 170)
  assert faces.clamp_crop(crop, 150, 400) == (0, 159, 150)


def test_a_crop_outside_repeats_the_edge():
  image = np.zeros((20, 30, 3), np.uint8)
  image[:, 0], image[:, -1] = 50, 200
  crop = faces.crop_image(image, faces.CropBox(-10, -5, 50), 50)
  assert crop.shape == (50, 50, 3)
  assert (crop[:, :11] == 50).all() and (crop[:, 39:] == 200).all()
  assert (crop[:, 11:39] == 0).all()
  beside = faces.crop_image(image, faces.CropBox(100, 100, 8), 4)
  assert (beside == 200).all()


def test_a_crop_inside_is_resized():
  image = np.arange(256, dtype=np.uint8).reshape(16, 16)
  image = np.dstack([image] * 3)
  whole = faces.crop_image(image, faces.CropBox(2, 3, 8), 8)
  np.testing.assert_array_equal(whole, image[3:11, 2:10])
  half = faces.crop_image(image, faces.CropBox(0, 0, 16), 8)
  assert half.mean() == pytest.approx(image.mean(), abs=1)


def test_opencv_without_cascades(monkeypatch):
  monkeypatch.delattr(cv2, 'CascadeClassifier')
  cascade._classifier.cache_clear()
  try:
    with pytest.raises(media.MediaError, match='opencv'):
      faces.detect_boxes(np.zeros((64, 64, 3), np.uint8))
  finally:
    cascade._classifier.cache_clear()


# The landmarker and its model.


@pytest.fixture
def no_model(monkeypatch, tmp_path):
  """MediaPipe seems to be installed; its model is nowhere."""
  monkeypatch.setattr(landmarks, '_installed', lambda: True)
  monkeypatch.delenv(landmarks.MODEL_ENV, raising=False)
  monkeypatch.setenv('HOME', str(tmp_path))
  return tmp_path / '.cache' / 'takin_jax' / 'face_landmarker.task'


def _answer(monkeypatch, data):
  monkeypatch.setattr(
    urllib.request, 'urlopen', lambda *args, **kwargs: io.BytesIO(data)
  )


def test_the_model_is_downloaded_once(no_model, monkeypatch):
  assert landmarks.local_model() is None
  _answer(monkeypatch, b'model')
  digest = '9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4'
  monkeypatch.setattr(landmarks, '_MODEL_SHA256', digest)
  assert landmarks.find_model() == no_model
  assert no_model.read_bytes() == b'model'
  _answer(monkeypatch, b'other')
  assert landmarks.find_model() == no_model
  assert landmarks.local_model() == no_model


def test_a_wrong_download_is_not_kept(no_model, monkeypatch):
  _answer(monkeypatch, b'something else')
  with pytest.raises(media.MediaError, match='checksum'):
    landmarks.find_model()
  assert not no_model.exists()


def test_without_network(no_model, monkeypatch):
  def fail(*args, **kwargs):
    raise urllib.error.URLError('no network')

  monkeypatch.setattr(urllib.request, 'urlopen', fail)
  with pytest.raises(media.MediaError, match='TAKIN_FACE_LANDMARKER'):
    landmarks.find_model()


def test_a_given_model_must_exist(no_model, monkeypatch, tmp_path):
  with pytest.raises(media.MediaError, match=r'nowhere\.task is not a file'):
    landmarks.find_model(tmp_path / 'nowhere.task')
  (tmp_path / 'a.task').write_bytes(b'')
  monkeypatch.setenv(landmarks.MODEL_ENV, str(tmp_path / 'a.task'))
  assert landmarks.find_model() == tmp_path / 'a.task'


def test_without_mediapipe(monkeypatch):
  monkeypatch.setattr(landmarks, '_installed', lambda: False)
  with (
    pytest.raises(media.MediaError, match='pip install'),
    faces.landmarker(),
  ):
    pass


def test_cascade_and_landmarks_agree(test_data):
  pytest.importorskip('mediapipe')
  model = test_data.parent / 'nets' / 'face_landmarker.task'
  if not model.is_file():
    pytest.skip('no landmarker model')
  paths = sorted((test_data / 'portraits').glob('face_recognition*'))
  with faces.landmarker(model) as detector:
    for path in paths:
      image = media.read_image(path)
      face = detector.detect(image)
      if face.count == 1:
        height, width = image.shape[:2]
        box = faces.landmark_box(face, width, height)
        wanted = faces.crop_around(box)
        assert_crops_agree(faces.find_crop(image), wanted)
