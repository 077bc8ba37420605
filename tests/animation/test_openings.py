import numpy as np
import pytest

from takin_jax import face
from takin_jax.animation import openings

RNG = np.random.default_rng(0)
POINTS = RNG.standard_normal((3, face.NUM_KEYPOINTS, 3)).astype('f')
LIPS = (face.OUTER_LIPS, face.INNER_LIPS)


@pytest.mark.parametrize('lower_share', [0.5, 0.7])
def test_parting_widens_the_gap_by_that_much(lower_share):
  by = np.array([0.3, -0.2], 'f')
  moved = np.asarray(openings.part(POINTS, LIPS, by, lower_share))
  grown = face.gaps(moved, LIPS) - face.gaps(POINTS, LIPS)
  np.testing.assert_allclose(grown, np.tile(by, (3, 1)), atol=1e-6)
  lower = moved[:, face.INNER_LIPS[1], 1] - POINTS[:, face.INNER_LIPS[1], 1]
  np.testing.assert_allclose(lower, lower_share * by[1], atol=1e-6)
  others = np.setdiff1d(np.arange(face.NUM_KEYPOINTS), LIPS)
  np.testing.assert_array_equal(moved[:, others], POINTS[:, others])


def test_as_far_open_as_another_face():
  wanted = RNG.standard_normal(POINTS.shape).astype('f')
  moved = openings.open_as(POINTS, wanted, face.LIDS)
  np.testing.assert_allclose(
    face.gaps(moved, face.LIDS), face.gaps(wanted, face.LIDS), atol=1e-5
  )


def test_what_is_closed_has_no_excess():
  kp = np.zeros((1, face.NUM_KEYPOINTS, 3), 'f')
  kp[0, face.INNER_LIPS[1], 1] = 0.02
  exp = np.zeros((2, face.NUM_KEYPOINTS, 3), 'f')
  exp[1, face.INNER_LIPS[1], 1] = 0.03
  found = openings.excess(exp, kp, (face.INNER_LIPS,), 0.02)
  np.testing.assert_allclose(found[:, 0], [0, 0.03], atol=1e-7)
