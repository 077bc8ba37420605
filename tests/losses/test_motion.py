import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.face import gaps
from takin_jax.losses import motion as losses


def test_huber_and_wing_by_hand():
  x = jnp.array([0.5, -2.0])
  np.testing.assert_allclose(losses.huber(x), [0.125, 1.5])
  width, curve = 0.1, 0.02
  offset = width - width * np.log(1 + width / curve)
  want = [width * np.log(1 + 0.05 / curve), 0.4 - offset]
  got = losses.wing(jnp.array([0.05, -0.4]), width, curve)
  np.testing.assert_allclose(got, want, rtol=1e-6)


def test_canonical_loss_is_zero_for_equal_shapes_only():
  kp = jax.random.normal(jax.random.key(0), (3, 1, 21, 3))
  assert losses.canonical_loss(jnp.tile(kp, (1, 4, 1, 1))) == 0
  pair = jnp.concatenate([kp, kp + 1.0], 1)
  np.testing.assert_allclose(
    losses.canonical_loss(pair, delta=0.1), 0.95, rtol=1e-4
  )


def test_canonical_loss_looks_at_every_pair_of_a_group():
  # Pictures at 0, 0 and 1: of the three pairs two are apart.
  group = jnp.zeros((1, 3, 21, 3)).at[:, 2].set(1.0)
  np.testing.assert_allclose(
    losses.canonical_loss(group, delta=0.1), 0.95 * 2 / 3, rtol=1e-4
  )
  gradient = jax.grad(losses.canonical_loss)(group)
  assert (gradient[:, 2] > 0).all() and (gradient[:, :2] < 0).all()


def test_landmark_loss_looks_at_x_and_y_of_the_guided_keypoints():
  x = jnp.zeros((2, 21, 3)).at[:, 4].set(jnp.array([0.3, 0.0, 9.0]))
  marks = jnp.zeros((2, 2, 2))
  assert losses.landmark_loss(x, marks, (0, 1)) == 0
  # Half of the mean over two points and x, y of (0.3 - 0.05, 0; 0, 0).
  got = losses.landmark_loss(x, marks, (7, 4))
  np.testing.assert_allclose(got, 0.5 * 0.25 / 4, rtol=1e-5)
  # Wing: 0.3 - w + w log(1 + w / c), w 0.1 and c 0.02.
  want = 0.3 - 0.1 + 0.1 * np.log(6.0)
  got = losses.landmark_loss(x, marks, (7, 4), use_wing=True)
  np.testing.assert_allclose(got, 0.5 * want / 4, rtol=1e-5)


def test_equivariance_is_the_mean_distance_in_the_picture():
  x = jnp.zeros((1, 2, 3)).at[..., 2].set(7.0)
  mapped = jnp.zeros((1, 2, 2)).at[0, 1].set(jnp.array([0.4, -0.8]))
  np.testing.assert_allclose(losses.equivariance_loss(x, mapped), 0.3)


def test_keypoint_prior_pushes_neighbours_apart():
  x = jnp.array([[[0.0, 0, 0.33], [0.1, 0, 0.33]]])
  np.testing.assert_allclose(losses.keypoint_prior(x), 2 * 0.09, rtol=1e-5)


def test_pose_and_deformation_by_hand():
  pose = jnp.array([[1.0, 2.0, 3.0], [1.0, -2.0, 3.0]])
  np.testing.assert_allclose(losses.head_pose_loss(pose, 0 * pose), 6.0)
  exp = jnp.full((2, 21, 3), -0.1)
  np.testing.assert_allclose(losses.deformation_prior(exp), 6.3, rtol=1e-6)


def test_expression_loss_divides_by_the_spread():
  teacher = jnp.zeros((1, 2, 3))
  exp = teacher.at[0, 0, 0].set(0.02).at[0, 1, 0].set(0.2)
  got = losses.expression_loss(exp, teacher, (0.01, 0.1))
  np.testing.assert_allclose(got, (2 + 2) / 6, rtol=1e-6)


def test_gaps_grow_when_the_lower_lip_falls():
  exp = jnp.zeros((1, 21, 3)).at[0, 5, 1].set(0.1)
  np.testing.assert_allclose(gaps(exp, ((4, 5), (6, 7))), [[0.1, 0]])


def test_weighted_l1_ignores_the_size_of_the_weight():
  a, b = jnp.zeros((1, 4, 4, 3)), jnp.ones((1, 4, 4, 3))
  weight = jnp.full((1, 4, 4, 1), 7.0)
  np.testing.assert_allclose(losses.weighted_l1(a, b, weight), 1.0)
