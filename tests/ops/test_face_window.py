"""Windows that ride on a face: geometry that can be checked by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax.face import EYE_CORNERS, MOUTH_CORNERS
from takin_jax.ops import face_window
from takin_jax.ops.geometry import transform_keypoints
from takin_jax.types import Motion


def _face(seed: int, pose_deg=(0.0, 0.0, 0.0), scale=0.9) -> jax.Array:
  """[1, 21, 3] keypoints of a rigid face with a level line of eyes."""
  kp = jax.random.uniform(
    jax.random.key(seed), (1, 21, 3), minval=-0.6, maxval=0.6
  )
  kp = kp.at[0, EYE_CORNERS[0]].set(jnp.array([-0.4, -0.2, 0.0]))
  kp = kp.at[0, EYE_CORNERS[1]].set(jnp.array([0.4, -0.2, 0.0]))
  motion = Motion(
    exp=jnp.zeros((1, 21, 3)),
    scale=jnp.full((1, 1), scale),
    t=jnp.array([[0.1, -0.05, 0.0]]),
    pose_deg=jnp.array([pose_deg]),
  )
  return transform_keypoints(kp, motion)


def test_an_affine_map_and_its_inverse_cancel():
  window = face_window.place(_face(0, (0.0, 0.0, 20.0)), MOUTH_CORNERS)
  points = jnp.array([[3.0, -7.0], [0.0, 0.0], [30.0, 21.0]])
  np.testing.assert_allclose(
    window.inverse()(window(points)), points[None], atol=1e-3
  )
  both = window.then(window.inverse())
  np.testing.assert_allclose(both.matrix, jnp.eye(2)[None], atol=1e-5)


def test_a_window_is_level_with_the_eyes_and_grows_with_the_face():
  turned = face_window.place(_face(1, (0.0, 0.0, 30.0)), MOUTH_CORNERS)
  straight = face_window.place(_face(1), MOUTH_CORNERS)
  x, y = turned.matrix[0, 0]
  assert np.degrees(np.arctan2(y, x)) == pytest.approx(30.0, abs=0.1)
  large = face_window.place(_face(1, scale=1.8), MOUTH_CORNERS)
  np.testing.assert_allclose(large.matrix, 2 * straight.matrix, rtol=1e-4)


def test_a_rigid_head_carries_its_points():
  """Rolled and scaled exactly, nodded nearly: a point of the plane is found."""
  first = _face(2)
  for pose, scale, error in (
    ((0, 0, 15.0), 1.1, 0.01),
    ((8.0, 0, 0), 0.9, 0.04),
  ):
    second = _face(2, pose, scale)
    point = 3  # not one of the rigid keypoints
    move = face_window.head_motion(first, second, first[:, point, 2])
    found = move(first[:, point : point + 1, :2])
    np.testing.assert_allclose(found[:, 0], second[:, point, :2], atol=error)


def test_sampling_and_spreading_out_undo_each_other():
  image = jax.random.uniform(jax.random.key(3), (1, 16, 16, 3))
  image = jax.image.resize(image, (1, 128, 128, 3), 'linear')
  window = face_window.place(_face(3), MOUTH_CORNERS)
  seen = face_window.sample(image, window, 16, 24)
  grid = face_window.window_grid(16, 24)[None]
  again = face_window.spread_out(seen, grid).reshape(seen.shape)
  np.testing.assert_allclose(again, seen, atol=1e-5)
  far = face_window.spread_out(seen, grid + 100.0)
  assert jnp.abs(far).max() == 0


def test_soft_edge_is_one_inside_and_zero_outside():
  at = jnp.array([[0.0, 0.0], [40.0, 0.0], [37.0, 0.0], [0.0, -33.0]])
  soft = face_window.soft_edge(at, 64, 80)[:, 0]
  assert soft[0] == 1 and soft[1] == 0 and soft[3] == 0 and 0 < soft[2] < 1


def test_a_curve_passes_through_its_points():
  left, right = jnp.array([[-20.0, 1.0]]), jnp.array([[20.0, 5.0]])
  top = jnp.array([[2.0, -6.0]])
  on = jnp.stack([left, right], 1)
  distance = face_window.curve_distance(on, left, right, top)
  np.testing.assert_allclose(distance, 0.0, atol=1e-5)
  below = face_window.curve_distance(top[:, None] + 3.0, left, right, top)
  assert 2.0 < below[0, 0] < 4.0
