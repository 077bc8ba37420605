"""Dropout by hashing positions."""

import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.nn.dropout import Dropout, keep_mask

SHAPE = (8, 50, 100)


def drop(x, key, rate=0.25, deterministic=False):
  layer = Dropout(rate, deterministic)
  return layer.apply({}, x, rngs={'dropout': key} if key is not None else {})


def test_share_scale_and_gradient():
  x = jnp.full(SHAPE, 3.0)
  key = jax.random.key(0)
  y, grad = jax.jit(jax.value_and_grad(lambda x: drop(x, key).sum()))(x)
  out = np.asarray(drop(x, key))
  assert set(np.unique(out)) == {0.0, 4.0}
  assert abs((out == 0).mean() - 0.25) < 0.01
  assert np.allclose(y, out.sum(), rtol=1e-5)
  assert np.array_equal(grad, (out > 0) / np.float32(0.75))
  assert drop(x.astype(jnp.bfloat16), key).dtype == jnp.bfloat16


def test_off():
  x = jnp.ones(SHAPE)
  assert drop(x, None, deterministic=True) is x
  assert drop(x, None, rate=0.0) is x


def test_neither_neighbours_nor_keys_agree():
  masks = [
    np.asarray(keep_mask(jax.random.key(i), SHAPE, 0.5)) for i in range(4)
  ]
  assert np.array_equal(masks[0], keep_mask(jax.random.key(0), SHAPE, 0.5))
  for other in masks[1:]:
    assert abs((masks[0] == other).mean() - 0.5) < 0.02
  for axis in range(3):
    for lag in (1, 2, 3):
      same = masks[0] == np.roll(masks[0], lag, axis)
      assert abs(same.mean() - 0.5) < 0.02
  for axes in ((0, 1), (0, 2), (1, 2)):  # no row or column stands out
    share = masks[0].mean(axes)
    size = masks[0].size / share.size
    assert np.abs(share - 0.5).max() < 5 * 0.5 / size**0.5
