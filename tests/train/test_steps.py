"""A batch in parts, and batch statistics that go from part to part."""

from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from takin_jax.train import state as state_lib
from takin_jax.train import steps
from takin_jax.train.task import LossOutput

FROZEN = frozenset({steps.STATS})


def loss_fn(params, batch, key, constants):
  del key
  y = batch['x'] @ params['net']['kernel'] * constants
  error = jnp.square(y - batch['y'])
  loss = error.mean()
  count = {'seen': params[steps.STATS]['seen'] + len(batch['x'])}
  return LossOutput(loss, {'error': jnp.abs(error).mean()}, count)


def run(accumulate, remat=()):
  rng = np.random.default_rng(0)
  batch = {
    'x': rng.normal(size=(8, 3)).astype(np.float32),
    'y': rng.normal(size=(8, 2)).astype(np.float32),
  }
  params = {
    'net': {'kernel': jnp.ones((3, 2))},
    steps.STATS: {'seen': jnp.zeros([])},
  }
  tx = optax.adam(0.1)
  step = steps.make_train_step(loss_fn, tx, 0.9, FROZEN, accumulate, remat)
  state = state_lib.create(params, tx, FROZEN)
  constants = jnp.arange(2.0) + 1  # as long as nothing in the batch
  return jax.jit(step)(state, batch, jax.random.key(0), constants)


@pytest.mark.parametrize('parts', [2, 4])
def test_parts_equal_the_whole_batch(parts):
  (one, metrics), (many, others) = run(1), run(parts)
  for a, b in zip(
    jax.tree.leaves((one.params['net'], one.opt_state, metrics['error'])),
    jax.tree.leaves((many.params['net'], many.opt_state, others['error'])),
    strict=True,
  ):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
  assert float(metrics['loss']) == pytest.approx(float(others['loss']))
  assert float(many.params[steps.STATS]['seen']) == 8


def test_not_finite_parameters_are_seen():
  _, metrics = run(1)
  assert np.isfinite(metrics['param_norm']) and metrics['param_norm'] > 0


def test_remat_reaches_the_networks_of_the_loss():
  net = nn.Dense(2, name='dense')

  def loss(params, batch, key, constants):
    del key, constants
    y = net.apply({'params': params['net']}, batch['x'])
    return LossOutput(jnp.square(y).mean(), {})

  tx = optax.sgd(0.1)
  x = jnp.ones((4, 3))
  params = {'net': net.init(jax.random.key(0), x)['params']}
  state = state_lib.create(params, tx)
  for remat, wanted in (((), False), (('Dense',), True)):
    step = steps.make_train_step(loss, tx, 0.9, remat=remat)
    text = str(jax.make_jaxpr(step)(state, {'x': x}, jax.random.key(0), {}))
    assert ('remat' in text) == wanted
