import jax
import jax.numpy as jnp
import numpy as np

from takin_jax import face
from takin_jax.ops import geometry
from takin_jax.types import Motion


def _motion(key: jax.Array, batch: int = 4) -> Motion:
  keys = jax.random.split(key, 4)
  return Motion(
    exp=0.05 * jax.random.normal(keys[0], (batch, 21, 3)),
    scale=1 + 0.1 * jax.random.normal(keys[1], (batch, 1)),
    t=0.1 * jax.random.normal(keys[2], (batch, 3)),
    pose_deg=20 * jax.random.normal(keys[3], (batch, 3)),
  )


def test_rotation_is_orthonormal_and_right_handed():
  r = geometry.rotation_matrix(_motion(jax.random.key(0)).pose_deg)
  eye = jnp.broadcast_to(jnp.eye(3), r.shape)
  np.testing.assert_allclose(r @ jnp.swapaxes(r, -1, -2), eye, atol=1e-6)
  np.testing.assert_allclose(jnp.linalg.det(r), 1.0, atol=1e-6)


def test_rotation_about_one_axis_turns_the_right_way():
  # Roll by 90 degrees carries x (right) to y (down) for row vectors.
  r = geometry.rotation_matrix(jnp.array([0.0, 0.0, 90.0]))
  np.testing.assert_allclose(jnp.array([1.0, 0, 0]) @ r, [0, 1, 0], atol=1e-6)


def test_pose_from_matrix_inverts_the_rotation():
  pose = jnp.array([[10.0, -25.0, 5.0], [-40.0, 60.0, -80.0]])
  back = geometry.pose_from_matrix(geometry.rotation_matrix(pose))
  np.testing.assert_allclose(back, pose, atol=1e-3)


def test_driving_by_the_first_frame_leaves_the_source_as_it_is():
  source, first = (_motion(jax.random.key(i)) for i in (1, 2))
  moved = geometry.relative_motion(source, first, first)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=2e-4), moved, source
  )


def test_motion_from_keypoints_inverts_the_transform():
  motion = _motion(jax.random.key(3))
  kp = jax.random.uniform(jax.random.key(4), (4, 21, 3), minval=-1)
  x = geometry.transform_keypoints(kp, motion)
  rigid = face.RIGID
  found = geometry.motion_from_keypoints(x, motion.pose_deg, kp, rigid, 0.55)
  again = geometry.transform_keypoints(kp, found)
  depth = x[:, rigid, 2].mean(1)[:, None]
  np.testing.assert_allclose(again[..., :2], x[..., :2], atol=1e-5)
  np.testing.assert_allclose(again[..., 2], x[..., 2] - depth, atol=1e-5)


def test_motion_vector_round_trip():
  motion = _motion(jax.random.key(5))
  vector = motion.to_vector()
  assert vector.shape == (4, 70)
  jax.tree.map(
    np.testing.assert_array_equal, Motion.from_vector(vector), motion
  )
