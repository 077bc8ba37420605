"""Curves that the judge reads off landmarks and blendshapes."""

import dataclasses

import numpy as np
import pytest

from tests.eval.fake_judge import readings


def _looking(x: float, y: float, turn: float = 0.0):
  seen = readings([0.1])
  points = seen.landmarks[0]
  c, s = np.cos(turn), np.sin(turn)
  for left, right, iris, at in ((33, 133, 468, 0.3), (362, 263, 473, 0.6)):
    local = np.array([[-0.05, 0], [0.05, 0], [0.1 * x, 0.1 * y]])
    points[[left, right, iris], :2] = local @ [[c, s], [-s, c]] + (at, 0.4)
  return seen


@pytest.mark.parametrize('turn', [0.0, 0.4])
def test_gaze_is_in_widths_of_the_eye(turn):
  np.testing.assert_allclose(_looking(0, 0, turn).gaze, [[0, 0]], atol=1e-9)
  found = _looking(0.2, -0.1, turn).gaze
  np.testing.assert_allclose(found, [[0.2, -0.1]], atol=1e-9)


def test_blendshapes_by_name():
  shapes = [[0, 0.2, 0.4, 0.1], [0, 0, 0, 0]]
  seen = readings([0.1, np.nan], shapes=shapes)
  np.testing.assert_allclose(seen.smile, [0.3, np.nan])
  np.testing.assert_allclose(seen.jaw, [0.1, np.nan])
  nameless = dataclasses.replace(seen, names=())
  assert np.isnan(nameless.smile).all()


def test_curves_have_one_value_a_frame():
  seen = readings([0.1, np.nan, 0.2])
  for name, curve in seen.curves.items():
    assert curve.shape == (3,), name
    assert np.isnan(curve[1])
