import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from takin_jax.train import optim
from takin_jax.train import state as state_lib
from takin_jax.train.steps import make_train_step
from takin_jax.train.task import LossOutput


@pytest.mark.parametrize(
  ('name', 'values'),
  [
    ('constant', [0.0, 0.5, 1.0, 1.0, 1.0]),
    ('warmup_cosine', [0.0, 0.5, 1.0, 0.5, 0.0]),
    ('constant_then_linear', [0.0, 0.5, 1.0, 1.0, 0.0]),
  ],
)
def test_schedules(name, values):
  cfg = optim.OptimConfig(lr=1.0, schedule=name, warmup_steps=10)
  schedule = optim.make_schedule(cfg, 110)
  got = [float(schedule(step)) for step in (0, 5, 10, 60, 110)]
  if name == 'constant_then_linear':
    assert float(schedule(55)) == pytest.approx(1.0)
    values = [0.0, 0.5, 1.0, 50 / 55, 0.0]
  np.testing.assert_allclose(got, values, atol=1e-6)


def test_unknown_schedule():
  with pytest.raises(ValueError, match='known: constant'):
    optim.make_schedule(optim.OptimConfig(schedule='step'), 10)


def test_step_scales_groups_and_averages():
  cfg = optim.OptimConfig(
    lr=0.1, schedule='constant', clip_norm=0.0, lr_scale={'slow': 0.1}
  )
  params = {'fast': jnp.ones(2), 'slow': jnp.ones(2), 'stats': jnp.ones(2)}
  frozen = optim.frozen_groups(cfg, params)
  assert frozen == {'stats'}
  tx = optim.make_optimizer(cfg, 10)

  def loss_fn(params, *args):
    del args
    return LossOutput(sum(jnp.sum(x) for x in params.values()), {})

  step = jax.jit(make_train_step(loss_fn, tx, 0.998, frozen))
  state = state_lib.create(params, tx, frozen)
  state, metrics = step(state, {}, jax.random.key(0), {})
  np.testing.assert_allclose(state.params['fast'], 0.9, atol=1e-6)
  np.testing.assert_allclose(state.params['slow'], 0.99, atol=1e-6)
  np.testing.assert_allclose(state.ema['fast'], 0.91, atol=1e-6)
  assert float(metrics['grad_norm']) == pytest.approx(2.0)


def test_a_group_with_an_optimiser_of_its_own():
  cfg = optim.OptimConfig(
    lr=0.1,
    schedule='constant',
    clip_norm=1.0,
    separate={'judge': {'lr': 0.01, 'clip_norm': 0.0}, 'absent': {'lr': 1.0}},
  )
  params = {'maker': jnp.ones(2), 'judge': jnp.ones(2)}
  tx = optim.make_optimizer(cfg, 10)
  grads = {'maker': jnp.full(2, 1e3), 'judge': jnp.full(2, 7.0)}
  updates, state = jax.jit(tx.update)(grads, tx.init(params), params)
  np.testing.assert_allclose(updates['maker'], -0.1, rtol=1e-5)
  np.testing.assert_allclose(updates['judge'], -0.01, rtol=1e-5)
  # Each clips by its own norm: 2 values of 1e3 become 0.5^0.5, 7 stays.
  moments = {k: optax.tree.get(v, 'mu') for k, v in state.inner_states.items()}
  np.testing.assert_allclose(moments['']['maker'], 0.1 * 0.5**0.5, rtol=1e-5)
  np.testing.assert_allclose(moments['judge']['judge'], 0.7, rtol=1e-5)
  with pytest.raises(ValueError, match='learning_rate'):
    separate = {'judge': {'learning_rate': 1.0}}
    optim.make_optimizer(optim.OptimConfig(separate=separate), 10)
