import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.losses.distill import distill_loss


def test_parts_and_padding():
  rng = np.random.default_rng(0)
  teacher = rng.normal(size=(2, 4, 8)).astype(np.float32)
  mask = np.arange(4) < np.array([[4], [2]])
  loss, parts = distill_loss(teacher, teacher, mask)
  np.testing.assert_allclose(parts['l1'], 0)
  np.testing.assert_allclose(parts['cosine'], 1, rtol=1e-4)
  student = np.where(mask[..., None], -teacher, 99.0)
  worse, parts = distill_loss(student, teacher, mask)
  np.testing.assert_allclose(parts['cosine'], -1, rtol=1e-4)
  np.testing.assert_allclose(
    parts['l1'], 2 * np.abs(teacher[mask]).mean(), rtol=1e-5
  )
  assert worse > loss


def test_gradients_are_finite_at_zero():
  zeros, mask = jnp.zeros((1, 3, 4)), jnp.ones((1, 3), bool)
  grad = jax.jit(jax.grad(lambda s: distill_loss(s, zeros, mask)[0]))(zeros)
  assert np.isfinite(grad).all()
