from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax.nn.remat import remat_blocks


class Block(nn.Module):
  """A block with a running statistic, dropout and a flag that is no array."""

  @nn.compact
  def __call__(self, x, train=False):
    assert isinstance(train, bool)
    x = nn.tanh(nn.Dense(4, name='dense')(x))
    mean = self.variable('batch_stats', 'mean', jnp.zeros, 4)
    if train:
      mean.value = x.mean(0)
    return nn.Dropout(0.5, deterministic=not train)(x)


class Net(nn.Module):
  @nn.compact
  def __call__(self, x, train=False):
    for i in range(2):
      x = Block(name=f'block{i}')(x, train=train)
    return x


def gradients(names):
  x = jax.random.normal(jax.random.key(0), (5, 4))
  variables = Net().init(jax.random.key(1), x)

  def loss(params):
    with remat_blocks(names):
      y, new = Net().apply(
        {**variables, 'params': params},
        x,
        train=True,
        mutable=['batch_stats'],
        rngs={'dropout': jax.random.key(2)},
      )
    return jnp.sum(y**3), new

  grad = jax.grad(loss, has_aux=True)
  text = str(jax.make_jaxpr(grad)(variables['params']))
  return text.count('remat2'), jax.jit(grad)(variables['params'])


@pytest.mark.parametrize(
  ('names', 'count'), [(['Block'], 2), (['block1'], 1), (['Nobody'], 0)]
)
def test_gradients_statistics_and_dropout_stay_the_same(names, count):
  plain, expected = gradients(())
  found, values = gradients(names)
  assert plain == 0 and found == count
  assert jax.tree.structure(values) == jax.tree.structure(expected)
  pairs = zip(jax.tree.leaves(values), jax.tree.leaves(expected), strict=True)
  for a, b in pairs:
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
