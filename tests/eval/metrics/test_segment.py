import cv2
import numpy as np
import pytest

from takin_jax.eval.metrics import backdrops, segment


@pytest.fixture(scope='module')
def portrait():
  """An oval face with dark hair and shoulders before a green wall."""
  rng = np.random.default_rng(0)
  image = np.full((128, 128, 3), (60, 160, 90), np.uint8)
  person = np.zeros((128, 128), np.uint8)
  parts = (
    ((64, 52), (30, 38), (40, 25, 20)),
    ((64, 140), (46, 40), (30, 30, 120)),
    ((64, 62), (23, 32), (220, 180, 160)),
  )
  for centre, axes, color in parts:
    cv2.ellipse(image, centre, axes, 0, 0, 360, color, -1)
    cv2.ellipse(person, centre, axes, 0, 0, 360, 1, -1)
  cv2.rectangle(image, (56, 85), (72, 110), (210, 170, 150), -1)
  cv2.rectangle(person, (56, 85), (72, 110), 1, -1)
  noise = rng.integers(-6, 7, image.shape)
  landmarks = np.full((478, 3), 0.5)
  angle = np.linspace(0, 2 * np.pi, len(segment.OVAL), endpoint=False)
  oval = np.stack([64 + 22 * np.sin(angle), 62 - 31 * np.cos(angle)], -1)
  landmarks[list(segment.OVAL), :2] = oval / 128
  return np.clip(image + noise, 0, 255).astype(np.uint8), landmarks, person


def test_head_and_shoulders_are_cut_out(portrait):
  image, landmarks, person = portrait
  mask = segment.person_mask(image, landmarks)
  assert mask.shape == (128, 128) and mask.dtype == np.float32
  assert mask.min() >= 0 and mask.max() <= 1 + 1e-6
  cut = mask > 0.5
  both = (cut & (person > 0)).sum() / (cut | (person > 0)).sum()
  assert both > 0.93
  np.testing.assert_array_equal(mask, segment.person_mask(image, landmarks))


def test_the_person_stays_before_any_backdrop(portrait):
  image, landmarks, person = portrait
  mask = segment.person_mask(image, landmarks)
  behind = backdrops.backdrops(128)
  assert len(behind) == 12
  for name, backdrop in behind.items():
    made = backdrops.behind(image, mask, backdrop)
    assert made.shape == image.shape and made.dtype == np.uint8
    np.testing.assert_array_equal(made[60, 64], image[60, 64])
    np.testing.assert_array_equal(made[2, 2], backdrop[2, 2], err_msg=name)
  assert len({backdrop.tobytes() for backdrop in behind.values()}) == 12
