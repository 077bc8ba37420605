import jax
import jax.numpy as jnp
import pytest

from takin_jax.shapes import check_shape


def test_returns_the_sizes():
  sizes = check_shape(jnp.zeros((2, 5, 7)), 'B T E', E=7)
  assert sizes == {'B': 2, 'T': 5, 'E': 7}
  assert check_shape(jnp.zeros((9, 2, 5, 3)), '... K 3') == {'K': 5}
  assert check_shape(jnp.zeros((5, 3)), '... K 3') == {'K': 5}


@pytest.mark.parametrize(
  ('shape', 'spec', 'sizes'),
  [
    ((2, 5), 'B T E', {}),
    ((2, 5, 7), 'B T E', {'E': 8}),
    ((2, 5, 7), 'B T T', {}),
    ((2, 5, 7), '... K 3', {}),
    ((3,), '... K 3', {}),
    ((2, 3), '', {}),
  ],
)
def test_wrong_shapes(shape, spec, sizes):
  with pytest.raises(ValueError, match='Expected shape'):
    check_shape(jnp.zeros(shape), spec, **sizes)


def test_works_while_tracing():
  @jax.jit
  def f(x):
    check_shape(x, 'B 3')
    return x

  f(jnp.zeros((2, 3)))
  with pytest.raises(ValueError, match=r'\[B 3\], got \[2, 4\]'):
    f(jnp.zeros((2, 4)))
