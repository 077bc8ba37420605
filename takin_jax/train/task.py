"""What a training stage supplies: a subclass of `Task`.

The loop in `loop.py` does the rest. A task is made once per run: what it reads
from disk, or compiles for its evaluation, it keeps in attributes of its own.
"""

import abc
from collections.abc import Mapping
import importlib
import pathlib
from typing import Any, NamedTuple, Protocol

import jax
from ml_collections import ConfigDict
import numpy as np

from takin_jax.data.batches.specs import Spec
from takin_jax.errors import InputError
from takin_jax.train.state import Params

STAGES = {
  'motion': 'takin_jax.train.motion.task:MotionTask',
  'speech': 'takin_jax.train.speech.task:SpeechTask',
  'audio': 'takin_jax.train.audio.task:AudioTask',
}
Batch = Mapping[str, jax.Array]
Metrics = dict[str, jax.Array]


class LossOutput(NamedTuple):
  """What a loss gives.

  Attributes:
    loss: float32 [], a mean over the samples of the batch.
    metrics: float32 [] by name, for the log.
    stats: new running statistics of norms, in place of the parameter group
      `batch_stats`; None: there are none.
  """

  loss: jax.Array
  metrics: Metrics
  stats: Params | None = None


class Batches(Protocol):
  """Endless batches that can go on from where they were, as in grain."""

  def __next__(self) -> dict[str, np.ndarray]:
    """Arrays by name, this process's share of the first axis."""

  def get_state(self) -> dict[str, Any]:
    """The position, as JSON can hold it."""

  def set_state(self, state: dict[str, Any]) -> None:
    """Goes on from a position."""


class Task(abc.ABC):
  """A training stage.

  Args:
    config: of the whole run.

  Raises:
    InputError: for blocks that the stage does not understand.
  """

  def __init__(self, config: ConfigDict):
    self.config = config

  @abc.abstractmethod
  def init(self, key: jax.Array) -> Params:
    """Initial parameters by group; a pure function, it runs inside jit."""

  @abc.abstractmethod
  def loss(
    self,
    params: Params,
    batch: Batch,
    key: jax.Array,
    constants: Any,
    *,
    train: bool = True,
  ) -> LossOutput:
    """A pure function of its arguments, it runs inside jit.

    Args:
      params: by group.
      batch: of `batches`.
      key: of the step; every stream folds in its own name, see `rng`.
      constants: of the method of that name.
      train: False: without dropout and random changes.
    """

  @abc.abstractmethod
  def batches(self) -> Batches:
    """Opens the records.

    Raises:
      InputError: if they, or what is computed from them, do not fit.
    """

  @abc.abstractmethod
  def batch_spec(self) -> Spec:
    """Shape and dtype of a batch's arrays over all processes, unread."""

  def check(self) -> list[str]:
    """Looks for all that a run will need, before anything is compiled.

    Returns:
      Sentences about what the run will leave out, and the remedy.

    Raises:
      InputError: if the run would end later for want of something.
    """
    return []

  def constants(self) -> Any:
    """Arrays that the loss needs beside parameters and batch."""
    return {}

  def evaluate(self, params: Params) -> dict[str, float]:
    """Metrics of the averaged parameters on held-out people."""
    del params
    return {}

  def samples(self, params: Params, path: pathlib.Path) -> None:
    """Writes pictures or videos to look at; `path` lacks the ending."""
    del params, path


def nothing_evaluated(records: str) -> str:
  """A sentence for `check`, if nobody is held out."""
  return (
    f'Nothing will be evaluated, as nobody in {records} is held out: run '
    'takin_jax.data.prepare again with --val, which keeps what is finished.'
  )


def task_for(config: ConfigDict) -> Task:
  """The task of `config.stage`: a name in STAGES or `module:Class`.

  Raises:
    InputError: for an unknown stage.
  """
  module, _, name = STAGES.get(config.stage, config.stage).partition(':')
  if not name:
    raise InputError(
      f'Unknown stage {config.stage!r}; known: {", ".join(STAGES)}.'
    )
  return getattr(importlib.import_module(module), name)(config)
