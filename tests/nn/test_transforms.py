"""Kernels transformed at load change the numbers by rounding only."""

from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax.nn.blocks import Conv, ConvNormAct
from takin_jax.nn.transforms import transform
from takin_jax.ops import conv as conv_lib


class Net(nn.Module):
  """One convolution of every kind that can be transformed."""

  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x):
    x = ConvNormAct(
      3, ndim=3, enlarge=2, folded=True, dtype=self.dtype, name='up'
    )(x)
    x = Conv(3, ndim=3, dtype=self.dtype, name='mix')(x)
    x = Conv(2, 7, ndim=3, dtype=self.dtype, name='mask')(x)
    x = Conv(1, 5, over_depth=True, dtype=self.dtype, name='flat')(x)
    return Conv(4, enlarge=4, dtype=self.dtype, name='large')(x)


def winograd_everywhere(shape, kernel, dtype, enlarge=1):
  del dtype, shape
  return 'phases' if enlarge > 1 else f'winograd{kernel[0]}'


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
def test_every_transform(monkeypatch, dtype):
  monkeypatch.setattr(conv_lib, 'transform_for', winograd_everywhere)
  x = jax.random.normal(jax.random.key(0), (1, 2, 4, 4, 2))
  net = Net(dtype)
  params = jax.jit(net.init)(jax.random.key(1), x)['params']
  new, out = transform(net, params, x)
  kinds = {name: set(group['conv']) for name, group in new.items()}
  kinds['up'] = set(new['up']['conv']['conv'])
  assert kinds == {
    'up': {'phases', 'bias'},
    'mix': {'winograd3', 'bias'},
    'mask': {'winograd7', 'bias'},
    'flat': {'kernel', 'bias'},
    'large': {'phases', 'bias'},
  }
  want = jax.jit(Net().apply)({'params': params}, x)
  got = jax.jit(net.apply)({'params': new}, x)
  assert got.shape == out.shape and got.dtype == dtype
  limit = 1e-4 if dtype == jnp.float32 else 0.1
  size = jnp.abs(want).max()
  np.testing.assert_allclose(got / size, want / size, atol=limit)


def test_small_kernels_stay():
  x = jnp.zeros((1, 8, 8, 3))
  conv = Conv(4)
  params = conv.init(jax.random.key(0), x)['params']
  assert set(transform(conv, params, x)[0]['conv']) == {'kernel', 'bias'}
