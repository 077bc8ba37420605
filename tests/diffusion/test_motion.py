import jax
import jax.numpy as jnp
import numpy as np

from takin_jax import face
from takin_jax.diffusion import motion
from takin_jax.diffusion.schedule import DiffusionConfig

KNOWN = jnp.ones((1, 10, 1), bool)


def test_smoothing_keeps_constants_and_quiets_noise():
  flat = jnp.full((1, 30, 70), 0.7)
  got = motion._smooth(flat, flat[:, :10], KNOWN, 1.5)
  np.testing.assert_allclose(got, flat, rtol=1e-5)
  noise = jax.random.normal(jax.random.key(0), flat.shape)
  smooth = motion._smooth(noise, noise[:, :10], ~KNOWN, 1.5)
  assert smooth.std() < 0.6 * noise.std()


def test_smoothing_joins_the_frames_before():
  prefix = jnp.ones((1, 10, 70))
  x = jnp.zeros((1, 30, 70))
  joined = motion._smooth(x, prefix, KNOWN, 1.5)[0, :, 0]
  assert joined[0] > 0.2 and joined[10] < 1e-3
  alone = motion._smooth(x, prefix, ~KNOWN, 1.5)
  np.testing.assert_array_equal(alone, 0.0)


def noise(first, frames, **settings):
  cfg = DiffusionConfig(**settings)
  shape = (2, frames, face.MOTION_DIM)
  key = jax.random.key(3)
  return np.asarray(motion.first_noise(cfg, key, first, shape))


def test_noise_belongs_to_a_frame_not_to_a_window():
  settings = dict(head_noise_frames=4.0, lip_noise=0.5)
  whole = noise(0, 40, **settings)
  later = noise(jnp.int32(8), 13, **settings)
  np.testing.assert_allclose(later, whole[:, 8:21], atol=1e-5)
  assert np.abs(whole[0] - whole[1]).mean() > 0.5


def test_noise_of_the_head_is_slow_and_that_of_the_lips_small():
  made = noise(0, 3000, head_noise_frames=4.0, lip_noise=0.5)
  deviations = made.std((0, 1))
  np.testing.assert_allclose(deviations[face.LIPS], 0.5, rtol=0.1)
  np.testing.assert_allclose(deviations[face.UPPER_FACE], 1, rtol=0.1)
  np.testing.assert_allclose(deviations[face.HEAD], 1, rtol=0.2)
  steps = np.diff(made, axis=1).std((0, 1))
  assert steps[face.HEAD].max() < 0.3 and steps[face.UPPER_FACE].min() > 1.2
  fast = noise(0, 300)[..., face.HEAD]
  assert np.diff(fast, axis=1).std() > 1.2
