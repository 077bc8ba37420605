"""What a training run carries from step to step."""

from typing import Any

from flax import struct
import jax
import jax.numpy as jnp
import optax

Params = dict[str, Any]


@struct.dataclass
class TrainState:
  """Everything that a checkpoint of a run holds on the device side.

  Attributes:
    step: int32 [], steps done.
    params: parameters; the top level names the groups, one per model.
    ema: their exponential moving average, which evaluation and export use.
    opt_state: state of the optimiser.
  """

  step: jax.Array
  params: Params
  ema: Params
  opt_state: optax.OptState


def create(
  params: Params,
  tx: optax.GradientTransformation,
  frozen: frozenset[str] = frozenset(),
) -> TrainState:
  """The state before the first step; `frozen` groups have no optimiser."""
  return TrainState(
    step=jnp.zeros([], jnp.int32),
    params=params,
    ema=jax.tree.map(jnp.copy, params),
    opt_state=tx.init(split(params, frozen)[0]),
  )


def split(params: Params, frozen: frozenset[str]) -> tuple[Params, Params]:
  """Parameter groups as (trained, frozen)."""
  trained = {k: v for k, v in params.items() if k not in frozen}
  return trained, {k: v for k, v in params.items() if k in frozen}
