import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax import face
from takin_jax.diffusion import schedule
from takin_jax.losses.denoise import (
  DenoiseLossConfig,
  Seen,
  denoise_loss,
  number_weights,
)

B, T, M = 2, 5, 70


@pytest.fixture
def batch():
  rng = np.random.default_rng(0)
  x0, noise = (rng.normal(size=(B, T, M)).astype(np.float32) for _ in 'ab')
  mask = np.arange(T) < np.array([[5], [3]])
  return x0, noise, jnp.array([0.8, 0.2]), mask


@pytest.mark.parametrize('prediction', schedule.PREDICTIONS)
def test_the_truth_costs_nothing(batch, prediction):
  x0, noise, alpha, mask = batch
  truth = schedule.training_target(x0, noise, alpha, prediction)
  cfg = DenoiseLossConfig(lips=3.0, velocity=1.0)
  loss, parts = denoise_loss(
    truth, x0, noise, alpha, Seen(mask), prediction, cfg
  )
  assert parts.keys() == {'denoise', 'velocity'}
  assert loss < 1e-9


def test_the_plain_loss_is_the_masked_mean_square(batch):
  x0, noise, alpha, mask = batch
  out = np.zeros_like(x0)
  loss, parts = denoise_loss(
    out, x0, noise, alpha, Seen(mask), 'eps', DenoiseLossConfig()
  )
  np.testing.assert_allclose(loss, np.square(noise[mask]).mean(), rtol=1e-5)
  assert parts.keys() == {'denoise'}


def test_gradients_stop_at_padding(batch):
  x0, noise, alpha, mask = batch
  cfg = DenoiseLossConfig(velocity=0.5)

  @jax.jit
  def gradient(out):
    return jax.grad(
      lambda o: denoise_loss(o, x0, noise, alpha, Seen(mask), 'eps', cfg)[0]
    )(out)

  grad = gradient(jnp.zeros_like(x0))
  assert np.isfinite(grad).all() and np.abs(grad[mask]).min() > 0
  np.testing.assert_array_equal(grad[~mask], 0)


def test_velocity_sees_changes_only(batch):
  x0, noise, alpha, mask = batch
  cfg = DenoiseLossConfig(velocity=1.0)

  def velocity(error):
    parts = denoise_loss(x0 + error, x0, noise, alpha, Seen(mask), 'x0', cfg)[1]
    return parts['velocity']

  assert velocity(1.0) < 1e-9
  assert velocity(np.array([0, 1, 0, 1, 0])[:, None]) > 0.1


def test_smoothness_is_the_second_difference_of_the_prediction(batch):
  x0, noise, _, mask = batch
  alpha = jnp.array([1.0, 0.25])
  cfg = DenoiseLossConfig(smooth=2.0)
  steady = np.broadcast_to(np.arange(5.0)[:, None], (B, T, M))
  loss, parts = denoise_loss(steady, x0, noise, alpha, Seen(mask), 'x0', cfg)
  assert parts['smooth'] < 1e-9
  # Frames 0, 1, 0, 1, 0 differ by -2, 2, -2: 4, of which 3 + 1 triples are
  # whole; weighted by alpha, (3 * 4 + 1 * 1) / 4.
  shaking = np.broadcast_to((np.arange(5) % 2)[:, None], (B, T, M))
  loss, parts = denoise_loss(shaking, x0, noise, alpha, Seen(mask), 'x0', cfg)
  np.testing.assert_allclose(parts['smooth'], 13 / 4, rtol=1e-5)
  np.testing.assert_allclose(
    loss, parts['denoise'] + 2 * parts['smooth'], rtol=1e-6
  )


def test_errors_count_by_the_motion_they_make():
  power = np.linspace(0.1, 3, M)
  weights = number_weights(M, DenoiseLossConfig(), power)
  np.testing.assert_allclose(weights, power / power.mean(), rtol=1e-5)


def test_weights_of_the_numbers():
  weights = number_weights(M, DenoiseLossConfig(lips=4.0, pose=2.0))
  np.testing.assert_allclose(weights.mean(), 1, rtol=1e-6)
  other = weights[face.UPPER_FACE][0]
  np.testing.assert_allclose(weights[face.LIPS] / other, 4, rtol=1e-6)
  np.testing.assert_allclose(weights[face.HEAD] / other, 2, rtol=1e-6)


def test_nothing_is_learnt_of_unknown_heads_nor_across_joints(batch):
  x0, noise, alpha, _ = batch
  head = np.ones((B, T), bool)
  head[0, 2:] = False
  follows = np.ones((B, T), bool)
  follows[1, 3] = False
  seen = Seen(np.ones((B, T), bool), head, follows)

  def gradient(cfg):
    def loss(out):
      return denoise_loss(out, x0, noise, alpha, seen, 'x0', cfg)[0]

    return np.asarray(jax.grad(loss)(jnp.zeros_like(x0)))

  plain = gradient(DenoiseLossConfig())
  assert (
    not plain[0, 2:, face.HEAD].any() and plain[0, 2:, : -face.HEAD_DIM].all()
  )
  assert plain[1].all() and plain[0, :2].all()
  # The change into frame 3 does not count: x_0 may jump there.
  known = seen.numbers(M, 1)
  assert known.shape == (B, T - 1, M) and not known[1, 2].any()
  assert known[1, 3].all() and not known[0, 1, face.HEAD].any()
  jump = x0 + 5.0 * (np.arange(T) >= 3)[:, None]
  velocity = DenoiseLossConfig(velocity=1.0)
  parts = denoise_loss(jump, x0, noise, alpha, seen, 'x0', velocity)[1]
  only = Seen(seen.frames[1:], head[1:], follows[1:])
  args = (x0[1:], noise[1:], alpha[1:], only, 'x0', velocity)
  assert parts['velocity'] > 0.1
  assert denoise_loss(jump[1:], *args)[1]['velocity'] < 1e-9
