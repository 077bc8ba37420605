"""Both sides of a training step, and how far their first steps differ.

Ours is the compiled step that `train.py` runs, on one device, the state
donated; theirs is `torch_reference/trainer.py`.
"""

import copy
import math
import time
from typing import Any

import jax
from ml_collections import ConfigDict
import numpy as np
import optax
from torch import Tensor, nn

from benchmarks.programs import Ours, Theirs, Wrap, cost_of
from benchmarks.torch_reference.trainer import Trainer
from benchmarks.torch_reference.weights import named
from takin_jax.config import build
from takin_jax.train import optim, sharding
from takin_jax.train.program import Program

Batch = dict[str, np.ndarray]


class OurTraining:
  """A compiled training step with its state.

  Args:
    config: of the run, with weights to start from.
    batch: seen in every step.

  Attributes:
    program: the run.
    first: host copy of the first parameters, by group.
    ours: does a step per call and gives its metrics.
  """

  def __init__(self, config: ConfigDict, batch: Batch):
    config = config.copy_and_resolve_references()
    with config.unlocked():
      config.mesh = ConfigDict(dict(devices=1))
    self.program = program = Program(config)
    self._state = program.first_state()
    self.first = jax.device_get(self._state.params)
    batch = sharding.put_batch(batch, program.mesh)
    whole = sharding.replicated(program.mesh)
    constants = jax.device_put(program.task.constants(), whole)
    key = program.key_everywhere()
    start = time.perf_counter()
    step = program.lower(batch, constants).compile()
    seconds = time.perf_counter() - start

    def call() -> Any:
      self._state, metrics = step(self._state, batch, key, constants)
      jax.block_until_ready(self._state)
      return metrics

    self.ours = Ours(call, cost_of(step), seconds)

  def first_moments(self) -> dict[str, Tensor]:
    """Averages of the clipped gradients by the twin's parameter names."""
    found = {}
    for group, tree in optax.tree.get(self._state.opt_state, 'mu').items():
      moments = named(jax.device_get(tree))
      found |= {f'{group}.{name}': x for name, x in moments.items()}
    return found


def first_key(config: ConfigDict) -> jax.Array:
  """The key that the loss gets in the first step."""
  return jax.random.fold_in(jax.random.key(config.seed), 0)


def theirs(
  module: nn.Module, config: ConfigDict, inputs: tuple[Tensor, ...], *rest: Any
) -> Theirs:
  """The twin's step; every callable made of it starts from its weights.

  Args:
    module: takes `inputs` and `rest` and gives the loss.
    config: of the run.
    inputs: tensors.
    *rest: what is no tensor.
  """

  def make(wrap: Wrap) -> Any:
    step = trainer(copy.deepcopy(module), config, wrap).step
    return lambda *tensors: step(*tensors, *rest)

  return Theirs(make, inputs, (module,), trains=True)


def trainer(
  module: nn.Module, config: ConfigDict, wrap: Wrap = lambda f: f
) -> Trainer:
  """The twin's optimiser for a config; it changes the module."""
  cfg = build(optim.OptimConfig, config.optim)
  steps = config.train.steps
  schedule = optim.make_schedule(cfg, steps)
  rates = np.asarray(jax.vmap(schedule)(np.arange(steps))).tolist()
  return Trainer(module, cfg, rates, wrap(module))


def difference(
  run: OurTraining,
  module: nn.Module,
  config: ConfigDict,
  inputs: tuple[Tensor, ...],
  *rest: Any,
) -> tuple[float, float]:
  """Does the first step on both sides.

  Returns:
    Absolute difference of the losses, and distance of the clipped gradients
    of all parameters over the length of the twin's.
  """
  twin = trainer(copy.deepcopy(module), config)
  loss = twin.step(*inputs, *rest)['loss']
  gap = abs(float(run.ours.run()['loss']) - float(loss))
  ours, wanted = run.first_moments(), twin.first_moments()
  if ours.keys() != wanted.keys():
    raise ValueError('The sides train different parameters.')
  apart = sum(
    float((ours[k] - x.cpu()).square().sum()) for k, x in wanted.items()
  )
  size = sum(float(x.square().sum()) for x in wanted.values())
  return gap, math.sqrt(apart / size)
