"""Landmarks to motion and back."""

import numpy as np
import pytest

from takin_jax.data.faces import geometry
from takin_jax.ops import geometry as device_geometry


@pytest.fixture
def rng():
  return np.random.default_rng(0)


def _rebuild(motion):
  """x = scale * (kp @ R + exp) + t."""
  rotation = geometry.rotation_matrix(motion['pose_deg'])
  posed = motion['kp'] @ rotation + motion['exp']
  return motion['scale'][:, None] * posed + motion['t'][:, None]


def test_motion_gives_the_keypoints_back(rng):
  x = rng.normal(scale=0.3, size=(7, 21, 3))
  pose = rng.normal(scale=20, size=(7, 3))
  motion = geometry.motion_from_keypoints(x, pose)
  shift = x[:, geometry.RIGID, 2:].mean(1, keepdims=True)
  expected = x - shift * [0, 0, 1]
  np.testing.assert_allclose(_rebuild(motion), expected, atol=1e-5)
  assert {k: v.shape for k, v in motion.items()} == {
    'kp': (21, 3),
    'exp': (7, 21, 3),
    'scale': (7, 1),
    't': (7, 3),
    'pose_deg': (7, 3),
  }
  assert all(v.dtype == np.float32 for v in motion.values())
  assert not motion['t'][:, 2].any()


def test_a_face_that_only_turns_and_moves_has_no_expression(rng):
  kp = rng.normal(scale=0.3, size=(21, 3))
  kp -= kp[geometry.RIGID].mean(0)
  rms = np.sqrt(np.square(kp[geometry.RIGID]).sum(-1).mean())
  kp *= geometry.CANONICAL_RMS / rms
  pose = rng.normal(scale=15, size=(5, 3))
  scale = rng.uniform(0.5, 1.5, (5, 1))
  t = rng.normal(scale=0.1, size=(5, 3)) * [1, 1, 0]
  x = scale[:, None] * (kp @ geometry.rotation_matrix(pose)) + t[:, None]
  motion = geometry.motion_from_keypoints(x, pose)
  np.testing.assert_allclose(motion['kp'], kp, atol=1e-6)
  np.testing.assert_allclose(motion['scale'], scale, rtol=1e-5)
  np.testing.assert_allclose(motion['t'], t, atol=1e-6)
  np.testing.assert_allclose(motion['exp'], 0, atol=1e-5)


def test_known_canonical_keypoints_are_kept(rng):
  x = rng.normal(scale=0.3, size=(3, 21, 3))
  kp = rng.normal(scale=0.3, size=(21, 3)).astype(np.float32)
  motion = geometry.motion_from_keypoints(x, np.zeros((3, 3)), kp)
  np.testing.assert_array_equal(motion['kp'], kp)
  x = x - x[:, geometry.RIGID].mean(1, keepdims=True) * [0, 0, 1]
  np.testing.assert_allclose(_rebuild(motion), x, atol=1e-5)


def test_pose_of_a_scaled_mediapipe_matrix(rng):
  pose = rng.uniform(-40, 40, (6, 3))
  flip = np.diag([1.0, -1.0, -1.0])
  matrix = np.tile(np.eye(4), (6, 1, 1))
  rotation = np.swapaxes(geometry.rotation_matrix(pose), -1, -2)
  matrix[:, :3, :3] = 1.7 * flip @ rotation @ flip
  np.testing.assert_allclose(geometry.pose_deg(matrix), pose, atol=1e-4)


def test_rotation_is_the_one_of_the_models(rng):
  pose = rng.uniform(-80, 80, (9, 3)).astype(np.float32)
  np.testing.assert_allclose(
    geometry.rotation_matrix(pose),
    device_geometry.rotation_matrix(pose),
    atol=1e-5,
  )


def test_keypoints_and_openings():
  landmarks = np.full((2, 478, 3), 0.5, np.float32)
  landmarks[:, 10, 1], landmarks[:, 152, 1] = 0.2, 0.8
  landmarks[1, 13, 1], landmarks[1, 14, 1] = 0.5, 0.53
  landmarks[1, 159, 1], landmarks[1, 145, 1] = 0.4, 0.46
  points = geometry.keypoints(landmarks)
  assert points.shape == (2, 21, 3)
  np.testing.assert_allclose(points[0, -1], [0, -0.6, 1], atol=1e-6)
  np.testing.assert_allclose(
    geometry.lip_opening(landmarks), [0, 0.05], atol=1e-6
  )
  np.testing.assert_allclose(
    geometry.eye_opening(landmarks), [0, 0.05], atol=1e-6
  )
