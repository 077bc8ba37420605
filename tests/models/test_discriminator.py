import jax
import jax.numpy as jnp
import pytest

from takin_jax.models.discriminator import Discriminator, DiscriminatorConfig


@pytest.mark.parametrize(('blocks', 'smallest'), [(2, 11), (4, 53)])
def test_pictures_that_are_too_small_are_refused(blocks, smallest):
  module = Discriminator(
    DiscriminatorConfig(block_expansion=2, num_blocks=blocks)
  )

  def scores(side):
    image = jnp.zeros((1, side, side, 3))
    return jax.eval_shape(module.init_with_output, jax.random.key(0), image)[0]

  assert scores(smallest)[0].shape == (1, 1, 1, 1)
  with pytest.raises(ValueError, match=f'at least {smallest} px'):
    scores(smallest - 1)
