"""The training step: a pure function of state, batch and key."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from takin_jax.train import state as state_lib
from takin_jax.train.state import Params, TrainState

Batch = dict[str, Any]
Metrics = dict[str, jax.Array]
LossFn = Callable[..., tuple[jax.Array, Metrics]]
TrainStep = Callable[..., tuple[TrainState, Metrics]]
STATS = 'batch_stats'  # parameter group that the loss replaces


def make_train_step(
  loss_fn: LossFn,
  tx: optax.GradientTransformation,
  ema_decay: float,
  frozen: frozenset[str] = frozenset(),
) -> TrainStep:
  """Makes `step(state, batch, key, constants) -> (state, metrics)`.

  Args:
    loss_fn: `(params, batch, key, train) -> (loss [], metrics)`; new running
      statistics of norms, if any, are `metrics['batch_stats']`.
    tx: the optimiser.
    ema_decay: decay of the moving average; lower in the first steps, so
      that the average does not remember the initial values.
    frozen: parameter groups without gradients.

  Returns:
    A pure function, not jitted. The key of step n is `fold_in(key, n)`;
    `constants`, if any, reach the loss as `batch['constants']`.
  """

  def step(
    state: TrainState, batch: Batch, key: jax.Array, constants: Any = None
  ) -> tuple[TrainState, Metrics]:
    if constants is not None:
      batch = {**batch, 'constants': constants}
    key = jax.random.fold_in(key, state.step)
    trained, fixed = state_lib.split(state.params, frozen)

    def loss_of(trained: Params) -> tuple[jax.Array, Metrics]:
      return loss_fn({**trained, **fixed}, batch, key, True)

    (loss, metrics), grads = jax.value_and_grad(loss_of, has_aux=True)(trained)
    updates, opt_state = tx.update(grads, state.opt_state, trained)
    params = {**optax.apply_updates(trained, updates), **fixed}
    done = state.step + 1
    decay = jnp.minimum(ema_decay, done / (done + 9.0))
    ema = optax.incremental_update(params, state.ema, 1.0 - decay)
    stats = metrics.pop(STATS, None)
    if stats is not None:  # running averages already
      params, ema = ({**tree, STATS: stats} for tree in (params, ema))
    state = TrainState(step=done, params=params, ema=ema, opt_state=opt_state)
    norm = optax.tree.norm(grads)
    return state, {**metrics, 'loss': loss, 'grad_norm': norm}

  return step
