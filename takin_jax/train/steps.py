"""The training step: a pure function of state, batch and key."""

from collections.abc import Callable, Collection
from typing import Any

import jax
import jax.numpy as jnp
import optax

from takin_jax.nn.remat import remat_blocks
from takin_jax.train import state as state_lib
from takin_jax.train.state import Params, TrainState
from takin_jax.train.task import Batch, LossOutput, Metrics

# `(params, batch, key, constants) -> LossOutput`.
LossFn = Callable[[Params, Batch, jax.Array, Any], LossOutput]
TrainStep = Callable[
  [TrainState, Batch, jax.Array, Any], tuple[TrainState, Metrics]
]
# `(trained, fixed, batch, key, constants) -> (LossOutput, gradients)`.
GradFn = Callable[..., tuple[LossOutput, Params]]
STATS = 'batch_stats'  # parameter group that the loss replaces


def make_train_step(
  loss_fn: LossFn,
  tx: optax.GradientTransformation,
  ema_decay: float,
  frozen: frozenset[str] = frozenset(),
  accumulate: int = 1,
  remat: Collection[str] = (),
  gather: Callable[[Params], Params] = lambda params: params,
) -> TrainStep:
  """Makes `step(state, batch, key, constants) -> (state, metrics)`.

  Args:
    loss_fn: the `loss` of a task.
    tx: the optimiser.
    ema_decay: decay of the moving average; lower in the first steps, so
      that the average does not remember the initial values.
    frozen: parameter groups without gradients.
    accumulate: parts of the batch that go through the networks one after
      another, see `_accumulated`.
    remat: blocks that are computed twice, see `takin_jax.nn.remat`.
    gather: makes divided parameters whole before the networks use them.

  Returns:
    A pure function, not jitted. The key of step n is `fold_in(key, n)`.
  """
  grads_of = _gradients(loss_fn, remat)
  if accumulate > 1:
    grads_of = _accumulated(grads_of, accumulate)

  def step(
    state: TrainState, batch: Batch, key: jax.Array, constants: Any
  ) -> tuple[TrainState, Metrics]:
    key = jax.random.fold_in(key, state.step)
    trained, fixed = state_lib.split(gather(state.params), frozen)
    out, grads = grads_of(trained, fixed, batch, key, constants)
    state = _updated(state, grads, out.stats, tx, ema_decay)
    norms = {
      'grad_norm': optax.tree.norm(grads),
      'param_norm': optax.tree.norm(state.params),
    }
    return state, {**out.metrics, 'loss': out.loss, **norms}

  return step


def _gradients(loss_fn: LossFn, remat: Collection[str]) -> GradFn:
  """Of the whole batch at once."""

  def loss_of(
    trained: Params, fixed: Params, *args: Any
  ) -> tuple[jax.Array, LossOutput]:
    with remat_blocks(remat):
      out = loss_fn({**trained, **fixed}, *args)
    return out.loss, out

  def grads(*args: Any) -> tuple[LossOutput, Params]:
    (_, out), grad = jax.value_and_grad(loss_of, has_aux=True)(*args)
    return out, grad

  return grads


def _updated(
  state: TrainState,
  grads: Params,
  stats: Params | None,
  tx: optax.GradientTransformation,
  ema_decay: float,
) -> TrainState:
  """The state after gradients of the trained groups, and new statistics."""
  trained, fixed = state_lib.split(
    state.params, frozenset(state.params.keys() - grads.keys())
  )
  updates, opt_state = tx.update(grads, state.opt_state, trained)
  params = {**optax.apply_updates(trained, updates), **fixed}
  done = state.step + 1
  decay = jnp.minimum(ema_decay, done / (done + 9.0))
  ema = optax.incremental_update(params, state.ema, 1.0 - decay)
  if stats is not None:  # running averages already
    params, ema = ({**tree, STATS: stats} for tree in (params, ema))
  return TrainState(step=done, params=params, ema=ema, opt_state=opt_state)


def _accumulated(grads_of: GradFn, parts: int) -> GradFn:
  """Loss, metrics and gradients of a batch as means over its parts.

  Part i takes every `parts`-th sample, so that a batch divided over devices
  stays where it is. The result is that of the whole batch to rounding, for a
  loss that is a mean over samples. Three things differ by nature: every part
  draws its own randomness; batch norm sees the statistics of a part, and the
  running ones change once per part; a mean over a mask weighs parts alike.
  """

  def split(x: jax.Array) -> jax.Array:
    x = x.reshape(x.shape[0] // parts, parts, *x.shape[1:])
    return jnp.swapaxes(x, 0, 1)

  def grads(
    trained: Params, fixed: Params, batch: Batch, key: jax.Array, constants: Any
  ) -> tuple[LossOutput, Params]:
    def one(part: Batch, i: jax.Array, stats: Params | None) -> Any:
      facts = fixed if stats is None else {**fixed, STATS: stats}
      part_key = jax.random.fold_in(key, i)
      out, grad = grads_of(trained, facts, part, part_key, constants)
      return (out.loss, out.metrics, grad), out.stats

    def add(carry: Any, x: tuple[Batch, jax.Array]) -> tuple[Any, None]:
      total, stats = carry
      values, stats = one(*x, stats)
      return (jax.tree.map(jnp.add, total, values), stats), None

    divided, stats = jax.tree.map(split, batch), fixed.get(STATS)
    numbered = divided, jnp.arange(parts)
    first = jax.tree.map(lambda x: x[0], numbered)
    shapes, changed = jax.eval_shape(one, *first, stats)
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    carry = (zeros, None if changed is None else stats)
    (total, stats), _ = jax.lax.scan(add, carry, numbered)
    loss, metrics, grad = jax.tree.map(lambda x: x / parts, total)
    return LossOutput(loss, metrics, stats), grad

  return grads
