import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.ops import augment
from takin_jax.ops.grid_sample import center_grid


def test_keypoints_move_with_the_picture():
  """A blob drawn at a keypoint is found at the changed keypoint."""
  point = jnp.array([[[0.3, -0.2, 0.1]]] * 6)
  grid = center_grid(64, 64)
  blob = jnp.exp(-200 * jnp.square(grid - point[0, 0, :2]).sum(-1))
  image = jnp.broadcast_to(blob[..., None], (6, 64, 64, 3))
  pose = jnp.zeros((6, 3))
  moved, x, _ = augment.random_similarity(
    jax.random.key(0), image, point, pose, max_roll_deg=30.0
  )
  mass = moved[..., 0] / moved[..., 0].sum((1, 2), keepdims=True)
  found = jnp.einsum('bhw,hwc->bc', mass, grid)
  np.testing.assert_allclose(found, x[:, 0, :2], atol=0.01)
  assert np.std(np.asarray(x[:, 0, 0])) > 0.01


def test_roll_is_reported():
  key = jax.random.key(1)
  x = jnp.array([[[0.0, 0.0, 0.0], [0.5, 0.0, 0.0]]] * 8)
  _, moved, pose = augment.random_similarity(
    key, jnp.zeros((8, 16, 16, 3)), x, jnp.zeros((8, 3))
  )
  along = moved[:, 1] - moved[:, 0]
  angle = jnp.rad2deg(jnp.arctan2(along[:, 1], along[:, 0]))
  np.testing.assert_allclose(angle, pose[:, 2], atol=1e-3)
  assert jnp.abs(pose[:, 2]).max() > 0


def test_colors_stay_in_range():
  colors = augment.random_colors(jax.random.key(2), 4, 0.3)
  image = jax.random.uniform(jax.random.key(3), (4, 8, 8, 3))
  out = augment.apply_colors(image, *colors)
  assert out.min() >= 0 and out.max() <= 1
  assert jnp.abs(out - image).max() > 0.05


def test_surroundings_change_and_the_face_stays():
  rng = np.random.default_rng(0)
  image = jnp.asarray(rng.random((6, 64, 64, 3)), jnp.float32)
  x = jnp.asarray(rng.uniform(-0.3, 0.3, (6, 21, 3)), jnp.float32)
  key = jax.random.key(0)
  same = augment.random_surroundings(key, image, x, 0.0)
  np.testing.assert_array_equal(same, image)
  new = augment.random_surroundings(key, image, x, 1.0)
  changed = np.abs(new - image).max(-1) > 0.01
  assert changed[:, 0].mean() > 0.9  # the upper edge is far from the face
  assert changed[:, 28:36, 28:36].mean() < 0.4  # but for what covers it
  assert float(new.min()) >= 0 and float(new.max()) <= 1


def test_one_background_stands_still_behind_both_faces():
  rng = np.random.default_rng(1)
  images = tuple(
    jnp.asarray(rng.random((6, 64, 64, 3)), jnp.float32) for _ in range(2)
  )
  x = jnp.asarray(rng.uniform(-0.3, 0.3, (6, 21, 3)), jnp.float32)
  points = (x, x + jnp.array([0.1, 0.0, 0.0]))
  key = jax.random.key(0)
  same = augment.random_backgrounds(key, images, points, 0.0)
  np.testing.assert_array_equal(same, images)
  new = augment.random_backgrounds(key, images, points, 1.0)
  np.testing.assert_allclose(new[0][:, 0], new[1][:, 0], atol=1e-6)
  for old, changed in zip(images, new, strict=True):
    middle = slice(28, 36)
    np.testing.assert_array_equal(
      old[:, middle, middle], changed[:, middle, middle]
    )
    assert float(changed.min()) >= 0 and float(changed.max()) <= 1
