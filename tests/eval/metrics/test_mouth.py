import numpy as np
import pytest

from takin_jax.eval.metrics import mouth


def _landmarks(height: float) -> np.ndarray:
  """A mouth in the middle, open by `height` of the picture."""
  angle = np.linspace(0, 2 * np.pi, len(mouth.INNER_LIPS), endpoint=False)
  points = np.full((1, 478, 3), 0.5)
  points[0, list(mouth.INNER_LIPS), 0] += 0.15 * np.cos(angle)
  points[0, list(mouth.INNER_LIPS), 1] += height / 2 * np.sin(angle)
  return points


def test_sharpness_is_of_the_inside():
  rng = np.random.default_rng(0)
  image = np.full((1, 128, 128, 3), 90, np.uint8)
  open_mouth = _landmarks(0.2)
  assert mouth.inside_sharpness(image, open_mouth) == pytest.approx([0])
  image[:, :40] = rng.integers(0, 255, (40, 128, 3))  # above the mouth
  assert mouth.inside_sharpness(image, open_mouth) == pytest.approx([0])
  image[:, 60:68, 60:68] = rng.integers(0, 255, (8, 8, 3))
  assert mouth.inside_sharpness(image, open_mouth)[0] > 100


def test_a_shut_mouth_and_no_face_have_no_inside():
  image = np.zeros((1, 128, 128, 3), np.uint8)
  assert np.isnan(mouth.inside_sharpness(image, _landmarks(0.0)))
  assert np.isnan(mouth.inside_sharpness(image, _landmarks(0.2) * np.nan))


def test_closeup_is_three_times_as_large():
  image = np.zeros((64, 64, 3), np.uint8)
  image[40:48, 20:28] = 255
  points = np.full((478, 3), 0.0)
  points[list(mouth.LIPS), :2] = (24 / 64, 44 / 64)
  crop = mouth.closeup(image, points, mouth.LIPS, 8 / 64)
  assert crop.shape == (24, 24, 3) and (crop == 255).all()
  crop = mouth.closeup(image, points * np.nan, mouth.LIPS, 8 / 64)
  assert crop.shape == (24, 24, 3) and (crop == 0).all()
