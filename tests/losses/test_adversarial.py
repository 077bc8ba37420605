import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.losses import adversarial


def test_hinge_by_hand():
  real, fake = jnp.array([2.0, 0.5]), jnp.array([-3.0, 0.5])
  # mean(0, 0.5) + mean(0, 1.5)
  np.testing.assert_allclose(adversarial.discriminator_loss(real, fake), 1.0)
  np.testing.assert_allclose(adversarial.generator_loss(fake), 1.25)


def test_feature_matching_moves_the_made_side_only():
  real, fake = [jnp.zeros(2), jnp.zeros(4)], [jnp.ones(2), jnp.full(4, 3.0)]
  np.testing.assert_allclose(adversarial.feature_matching(real, fake), 4.0)
  gradients = jax.grad(adversarial.feature_matching, (0, 1))(real, fake)
  np.testing.assert_array_equal(gradients[0][1], 0)
  np.testing.assert_allclose(gradients[1][1], 0.25)
