"""What a training stage supplies: a module with the functions of `Task`.

Required: `init`, `loss_fn`, `batches`. Optional: `batch_spec`, `constants`,
`evaluate`, `samples`. The loop in `loop.py` does the rest.
"""

from collections.abc import Callable, Iterator
import importlib
import pathlib
from typing import Any, Protocol

import jax
from ml_collections import ConfigDict

from takin_jax.errors import InputError

STAGES = {
  'motion': 'takin_jax.train.motion.task',
  'speech': 'takin_jax.train.speech.task',
  'audio': 'takin_jax.train.audio.task',
}


class Task(Protocol):
  """The functions of a task module."""

  @staticmethod
  def init(config: ConfigDict, key: jax.Array) -> dict[str, Any]:
    """Initial parameters by group. Runs inside jit: no side effects."""

  @staticmethod
  def loss_fn(config: ConfigDict) -> Callable[..., Any]:
    """Makes `f(params, batch, key, train) -> (loss [], metrics)`."""

  @staticmethod
  def batches(config: ConfigDict) -> Iterator[dict[str, Any]]:
    """Endless training batches; `get_state()`, `set_state()` as in grain."""

  @staticmethod
  def batch_spec(config: ConfigDict) -> dict[str, tuple[Any, Any]]:
    """Optional: shape and dtype of a batch's arrays, over all processes."""

  @staticmethod
  def constants(config: ConfigDict) -> Any:
    """Optional: arrays that the loss gets as `batch['constants']`."""

  @staticmethod
  def evaluate(
    config: ConfigDict, params: Any, step: int, workdir: pathlib.Path
  ) -> dict[str, float]:
    """Optional: metrics of the averaged parameters on held-out people."""

  @staticmethod
  def samples(
    config: ConfigDict, params: Any, step: int, folder: pathlib.Path
  ) -> None:
    """Optional: writes pictures or videos to look at."""


def task_for(config: ConfigDict) -> Task:
  """The task module of `config.stage`: a name in STAGES or a module path.

  Raises:
    InputError: for an unknown stage.
  """
  name = STAGES.get(config.stage, config.stage)
  if '.' not in name:
    raise InputError(
      f'Unknown stage {config.stage!r}; known: {", ".join(STAGES)}.'
    )
  return importlib.import_module(name)
