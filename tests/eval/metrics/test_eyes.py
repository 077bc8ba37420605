import cv2
import numpy as np
import pytest

from takin_jax.eval.metrics import eyes


def test_closures_are_where_lids_are_most_closed():
  lids = np.full(40, 0.05)
  lids[5:9] = (0.02, 0.01, 0.022, 0.03)  # never open: one blink
  lids[20:24] = (0.024, np.nan, 0.012, 0.02)
  assert eyes.closures(lids) == [6, 22]
  assert eyes.closures(np.full(10, 0.05)) == []
  assert eyes.closures(np.full(10, np.nan)) == []


def test_depth_is_what_is_closed_of_the_usual_opening():
  lids = np.full(40, 0.05)
  lids[11] = 0.01  # a frame late
  np.testing.assert_allclose(eyes.depth(lids, [10, 30]), [0.8, 0])
  np.testing.assert_allclose(eyes.depth(lids, [10], reach=0), [0])
  assert eyes.depth(lids, []).shape == (0,)
  assert np.isnan(eyes.depth(np.full(9, np.nan), [4])).all()


def _face(darkness: int, tilt: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
  """Two closed eyes: lines on skin of 200 levels."""
  image = np.full((256, 256, 3), 200, np.uint8)
  landmarks = np.zeros((478, 3))
  for a, b, x in ((33, 133, 60), (362, 263, 150)):
    ends = np.array([[x, 100 - 20 * tilt], [x + 40, 100 + 20 * tilt]])
    landmarks[[a, b], :2] = ends / 256
    cv2.line(image, *map(tuple, ends.astype(int)), (darkness,) * 3, 3)
  return image, landmarks


@pytest.mark.parametrize('tilt', [0.0, 0.5])
def test_dark_lashes_have_contrast(tilt):
  dark, faint, none = (
    eyes.lash_contrast(*_face(level, tilt)) for level in (40, 160, 200)
  )
  assert dark == pytest.approx(0.8, abs=0.15)
  assert faint == pytest.approx(0.2, abs=0.05)
  assert none == pytest.approx(0, abs=1e-6)


def test_no_face_has_no_lashes():
  image, landmarks = _face(40)
  assert np.isnan(eyes.lash_contrast(image, landmarks * np.nan))
