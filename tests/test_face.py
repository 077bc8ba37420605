import numpy as np

from takin_jax import face
from takin_jax.types import Motion

RNG = np.random.default_rng(0)


def test_the_parts_cover_the_vector_once():
  vector = np.arange(face.MOTION_DIM)
  for parts in (
    (face.EXP, face.HEAD),
    (face.LIPS, face.UPPER_FACE, face.HEAD),
    (face.EXP, face.SCALE, face.TRANSLATION, face.POSE_DEG),
  ):
    joined = np.concatenate([vector[part] for part in parts])
    np.testing.assert_array_equal(joined, vector)
  angles = vector[[face.PITCH, face.YAW, face.ROLL]]
  np.testing.assert_array_equal(angles, vector[face.POSE_DEG])


def test_a_motion_is_its_vector():
  vector = RNG.standard_normal((2, face.MOTION_DIM)).astype('f')
  motion = Motion.from_vector(vector)
  np.testing.assert_array_equal(motion.exp, face.exp_points(vector))
  np.testing.assert_array_equal(motion.to_vector(), vector)


def test_every_keypoint_has_one_name():
  names = (
    *face.MOUTH_CORNERS,
    *face.OUTER_LIPS,
    *face.INNER_LIPS,
    *np.ravel(face.LIDS),
    *face.IRISES,
    *face.EYE_CORNERS,
    *face.BROWS,
    face.NOSE,
    face.CHIN,
    *face.CHEEKS,
    face.FOREHEAD,
  )
  np.testing.assert_array_equal(names, np.arange(face.NUM_KEYPOINTS))
  lips = range(0, face.LIPS.stop // 3)
  corners = (*face.MOUTH_CORNERS, *face.OUTER_LIPS, *face.INNER_LIPS)
  assert set(lips) == set(corners)


def test_gaps_grow_downwards():
  points = np.zeros((4, face.NUM_KEYPOINTS, 3))
  points[:, face.INNER_LIPS[1]] = 0.5, 0.25, 9.0
  pairs = (face.INNER_LIPS, *face.LIDS)
  np.testing.assert_allclose(face.gaps(points, pairs)[0], [0.25, 0, 0])
  np.testing.assert_allclose(face.gaps(points, pairs, 0)[0], [0.5, 0, 0])


def test_mirrored_twice_is_as_before():
  motion = RNG.standard_normal((5, face.MOTION_DIM)).astype('f')
  mirrored = face.mirror_motion(motion)
  assert (mirrored != motion).any()
  np.testing.assert_array_equal(face.mirror_motion(mirrored), motion)
  np.testing.assert_array_equal(mirrored[:, face.YAW], -motion[:, face.YAW])
  np.testing.assert_array_equal(mirrored[:, face.PITCH], motion[:, face.PITCH])
  right, left = face.EYE_CORNERS
  found, were = face.exp_points(mirrored), face.exp_points(motion)
  np.testing.assert_array_equal(found[:, right, 0], -were[:, left, 0])
