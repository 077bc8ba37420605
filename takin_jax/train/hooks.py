"""What happens between steps: a log line, a checkpoint, a look at results."""

import pathlib
from typing import Any

from takin_jax.train import checkpoint, distributed, metrics, sharding, speed
from takin_jax.train.program import Program
from takin_jax.train.state import TrainState


class Hooks:
  """Writes into the folder of a run.

  Args:
    program: of the run.
    workdir: its folder.
    writer: of metrics.
    checkpoints: in the folder.
    save_every: steps between two of them.
  """

  def __init__(
    self,
    program: Program,
    workdir: pathlib.Path,
    writer: metrics.MetricWriter,
    checkpoints: checkpoint.Checkpoints,
    save_every: int,
  ):
    self._program, self._workdir = program, workdir
    self._writer, self._checkpoints = writer, checkpoints
    self._eval_every = program.config.get('eval', {}).get('every', 0)
    self.save_every = save_every

  def log(
    self, step: int, monitor: metrics.Monitor, rates: speed.Speed
  ) -> float:
    """Writes means since the last line; returns the loss."""
    monitor.flush()
    means = monitor.averages()
    lr = float(self._program.schedule(step - 1))
    speeds = rates.rates(means['steps_per_s'])
    self._writer.write(step, {**means, **speeds, 'lr': lr})
    return means['loss']

  def save(self, state: TrainState, position: dict[str, Any]) -> None:
    """Saves a checkpoint."""
    self._checkpoints.save(state, position, self._program.config)

  def look(self, state: TrainState, step: int) -> None:
    """Evaluation and samples of the task, when they are due.

    The primary process works on a copy of its own; the others wait.
    """
    program = self._program
    evaluates = self._due(self._eval_every, step)
    draws = self._due(program.train.samples_every, step)
    if not evaluates and not draws:
      return
    ema = sharding.local_copy(state.ema, program.mesh)
    if distributed.is_primary():
      if evaluates:
        values = program.task.evaluate(ema)
        values = {f'eval/{k}': v for k, v in values.items()}
        if values:
          self._writer.write(step, values)
      if draws:
        folder = self._workdir / 'samples'
        folder.mkdir(exist_ok=True)
        program.task.samples(ema, folder / f'{step:07d}')
    distributed.wait_for_all(f'after evaluation {step}')

  def _due(self, every: int, step: int) -> bool:
    finished = step == self._program.train.steps
    return finished or (every > 0 and step % every == 0)
