"""Conformer on its own; golden parity is in tests/test_parity.py."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax.nn.conformer import (
  Conformer,
  ConformerConfig,
  relative_shift,
)

TINY = ConformerConfig(dim=16, layers=1, heads=2, ffn_dim=24, kernel=5)
TWO = ConformerConfig(
  dim=16, layers=2, heads=2, ffn_dim=24, kernel=5, norm_first=False
)


@functools.cache
def made(cfg):
  """Input and variables."""
  x = jax.random.normal(jax.random.key(0), (2, 7, 16))
  return x, jax.jit(Conformer(cfg).init)(jax.random.key(1), x)


@pytest.mark.parametrize('cfg', [TINY, TWO], ids=['pre', 'post'])
def test_shapes_gradients_and_jit(cfg):
  x, variables = made(cfg)
  assert variables.keys() == {'params'}  # nothing mutable

  def loss(variables, x):
    out = Conformer(cfg).apply(variables, x)
    return jnp.square(out[..., 0]).mean(), out

  (value, out), grads = jax.jit(jax.value_and_grad(loss, has_aux=True))(
    variables, x
  )
  assert out.shape == x.shape and out.dtype == jnp.float32
  if cfg is TINY:  # op by op takes long
    np.testing.assert_allclose(value, loss(variables, x)[0], rtol=1e-5)
  assert all(np.isfinite(g).all() for g in jax.tree.leaves(grads))


def test_bfloat16_is_close():
  x, variables = made(TINY)
  half, want = (
    jax.jit(Conformer(TINY, dtype).apply)(variables, x)
    for dtype in (jnp.bfloat16, jnp.float32)
  )
  assert half.dtype == jnp.bfloat16
  assert np.abs(half - want).max() < 0.1


def test_extra_is_added_before_each_layer():
  x, variables = made(TWO)
  run = jax.jit(Conformer(TWO).apply)
  nothing = jnp.zeros((2, 2, 16))
  plain = run(variables, x, extra=nothing)
  for layer in range(2):
    changed = run(variables, x, extra=nothing.at[layer, 1, 0].set(1.0))
    np.testing.assert_allclose(changed[0], plain[0], atol=1e-6)
    assert np.abs(changed[1] - plain[1]).max() > 1e-3


def test_the_mask_hides_padding():
  x, variables = made(TINY)
  run = jax.jit(Conformer(TINY).apply)
  mask = jnp.arange(7) < jnp.array([[7], [4]])
  out, other = (run(variables, x.at[1, 4:].add(d), mask) for d in (0.0, 3.0))
  np.testing.assert_allclose(out[mask], other[mask], atol=1e-6)


def test_dropout_is_for_training():
  x, variables = made(TINY)
  run = jax.jit(Conformer(TINY).apply, static_argnames='train')
  outs = [
    run(variables, x, train=True, rngs={'dropout': jax.random.key(k)})
    for k in (0, 0, 1)
  ]
  np.testing.assert_array_equal(outs[0], outs[1])
  assert np.abs(outs[0] - outs[2]).max() > 0


def test_relative_shift_picks_the_distance():
  frames = 4
  distances = jnp.arange(frames - 1, -frames, -1.0)
  scores = jnp.broadcast_to(distances, (1, 1, frames, 2 * frames - 1))
  i = np.arange(frames)
  np.testing.assert_array_equal(
    relative_shift(scores)[0, 0], i[:, None] - i[None]
  )


@pytest.mark.parametrize('bad', [dict(conv_norm='group'), dict(heads=3)])
def test_bad_config(bad):
  with pytest.raises(ValueError):
    ConformerConfig(dim=16, **bad)
