"""Which shots are good enough."""

import cv2
import numpy as np
import pytest
from skimage import data as pictures

from takin_jax.data import faces
from takin_jax.data.prepare import quality
from tests.data import fake_faces

BOX = np.array([178.0, 71.0, 268.0, 170.0])  # of the astronaut's face


def looks_at(count=10, **values):
  """Looks at a good face of 200 px, but for `values`."""
  looks = np.zeros(count, quality.LOOK)
  looks['faces'] = 1
  looks['box'] = 100, 50, 300, 250
  looks['sharpness'] = 100
  for name, value in values.items():
    looks[name] = value
  return looks


def test_a_good_shot():
  figures = quality.measure(looks_at())
  assert figures == {
    'found': 1.0,
    'second_face': 0.0,
    'face_px': 200.0,
    'sharpness': 100.0,
    'pitch_deg': 0.0,
    'yaw_deg': 0.0,
  }
  assert quality.fault(figures, quality.Limits()) is None


@pytest.mark.parametrize(
  ('looks', 'reason'),
  [
    (looks_at(faces=[1] * 7 + [0] * 3), 'face in 70% of the frames'),
    (looks_at(faces=0, box=np.nan), 'face in 0% of the frames'),
    (looks_at(0), 'face in 0% of the frames'),
    (looks_at(second=[0.6] * 3 + [0] * 7), 'second face in 30% of the frames'),
    (looks_at(box=(0, 0, 90, 60)), 'face too small: face_px 90.0, at least 96'),
    (looks_at(sharpness=11), 'blurred: sharpness 11.0, at least 12'),
    (looks_at(pose_deg=(0, -60, 0)), 'turned aside: yaw_deg 60.0, at most 50'),
    (looks_at(pose_deg=(40, 0, 0)), 'turned up or down: pitch_deg 40.0'),
  ],
)
def test_faults(looks, reason):
  fault = quality.fault(quality.measure(looks), quality.Limits())
  assert fault and reason in fault


@pytest.mark.parametrize(
  'looks',
  [
    looks_at(second=0.4),  # somebody far behind
    looks_at(second=[0.9] * 2 + [0] * 8),  # somebody passing by
    looks_at(pose_deg=[(0, 0, 80)] * 10),  # a tilted head
    looks_at(pose_deg=[(0, 70, 0)] + [(0, 5, 0)] * 9),  # a glance
    looks_at(faces=[0] + [1] * 9),
  ],
)
def test_what_is_no_fault(looks):
  assert not quality.fault(quality.measure(looks), quality.Limits())


def test_blur_lowers_the_sharpness():
  image = pictures.astronaut()
  values = [
    quality.sharpness(cv2.GaussianBlur(image, (0, 0), sigma), BOX)
    for sigma in (0.3, 1, 2, 4)
  ]
  assert values[0] > 100 and values[-1] < 5
  assert values == sorted(values, reverse=True)
  large = cv2.resize(image, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
  assert quality.sharpness(large, 3 * BOX) < 1.5 * values[0]
  assert quality.sharpness(image, BOX + 1000) == 0


def test_a_look_at_a_large_picture():
  image = np.kron(fake_faces.scene(1)[0], np.ones((10, 10, 1), np.uint8))
  look = quality.look(7, image, fake_faces.FakeLandmarker())
  assert (look['frame'], look['faces']) == (7, 1)
  np.testing.assert_allclose(look['box'], [600, 500, 900, 800], atol=10)
  nobody = quality.look(8, np.zeros_like(image), fake_faces.FakeLandmarker())
  assert nobody['faces'] == 0 and np.isnan(nobody['sharpness'])


def test_the_crop_follows_the_median_and_stays_inside():
  boxes = np.tile([100.0, 100, 200, 200], (5, 1))
  boxes[0] = 0, 0, 30, 30
  looks = looks_at(5, box=boxes)
  crop = quality.crop_of(looks, 640, 480)
  assert crop == faces.clamp_crop(faces.crop_around(boxes[1]), 640, 480)
  assert quality.crop_of(looks, 160, 120)[:3] == (40, 0, 120)
