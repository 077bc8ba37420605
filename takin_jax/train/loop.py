"""The training loop: the same for every stage and any number of devices.

In: a config and a folder. Out: checkpoints, metrics and samples in it. Run it
again with the same folder and it goes on where it stopped.
"""

import contextlib
import dataclasses
import functools
import logging
import pathlib
import signal
import time
from typing import Any

import jax
from ml_collections import ConfigDict
import tqdm

from takin_jax import config as config_lib
from takin_jax.train import checkpoint, init_from, metrics, optim, sharding
from takin_jax.train import state as state_lib
from takin_jax.train.steps import make_train_step
from takin_jax.train.task import Task, task_for

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class TrainConfig:
  """Length of a run and what happens on the way.

  Attributes:
    steps: how many in all, resumed ones included.
    log_every: steps between two lines of metrics.
    samples_every: steps between two samples to look at; 0: at the end only.
    time_limit_s: stop cleanly after this wall-clock time; 0: never.
    init_from: `PATH` or `PATH:group,group` of weights folders or runs whose
      parameters a fresh run starts from.
  """

  steps: int = 1000
  log_every: int = 50
  samples_every: int = 0
  time_limit_s: float = 0.0
  init_from: tuple[str, ...] = ()


class StopSignal:
  """Turns the first SIGTERM or SIGINT into a request to stop."""

  def __init__(self):
    self.received = False

  def __enter__(self) -> 'StopSignal':
    self._old = {
      number: signal.signal(number, self._handle)
      for number in (signal.SIGTERM, signal.SIGINT)
    }
    return self

  def __exit__(self, *_: Any) -> None:
    for number, handler in self._old.items():
      signal.signal(number, handler)

  def _handle(self, number: int, _: Any) -> None:
    self.received = True
    signal.signal(number, self._old[number])  # the second one acts at once


class Run:
  """One training run; `run()` below is the way in."""

  def __init__(self, config: ConfigDict, workdir: pathlib.Path):
    self.config, self.workdir = config, workdir
    self.task: Task = task_for(config)
    self.train = config_lib.build(TrainConfig, config.train)
    self.saving = config_lib.build(
      checkpoint.CheckpointConfig, config.get('checkpoint')
    )
    optim_cfg = config_lib.build(optim.OptimConfig, config.optim)
    self.eval_every = config.get('eval', {}).get('every', 0)
    self.mesh = sharding.make_mesh(
      config_lib.build(sharding.MeshConfig, config.get('mesh'))
    )
    self.key = jax.random.key(config.seed)
    self.schedule = optim.make_schedule(optim_cfg, self.train.steps)
    self._tx = optim.make_optimizer(optim_cfg, self.train.steps)
    self._init = functools.partial(self.task.init, config)
    groups = jax.eval_shape(self._init, self.key)
    self._frozen = optim.frozen_groups(optim_cfg, groups)
    step = make_train_step(
      self.task.loss_fn(config), self._tx, optim_cfg.ema_decay, self._frozen
    )
    self.step = sharding.jit_step(step, self.mesh)

  def start(
    self, checkpoints: checkpoint.Checkpoints
  ) -> tuple[state_lib.TrainState, Any]:
    """State and batches, from the newest checkpoint or from the beginning."""
    whole = sharding.replicated(self.mesh)
    create = functools.partial(
      state_lib.create, tx=self._tx, frozen=self._frozen
    )

    def fresh(key: jax.Array) -> state_lib.TrainState:
      return create(self._init(key))

    batches = self.task.batches(self.config)
    target = jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=whole),
      jax.eval_shape(fresh, self.key),
    )
    restored = checkpoints.restore(target)
    if restored:
      state, position = restored
      batches.set_state(position)
      return state, batches
    if self.train.init_from:
      params = jax.jit(self._init, out_shardings=whole)(self.key)
      params = init_from.replace_groups(params, self.train.init_from)
      return jax.jit(create, out_shardings=whole)(params), batches
    return jax.jit(fresh, out_shardings=whole)(self.key), batches

  def constants(self) -> Any:
    """What the task's loss needs beside parameters and batch."""
    if not hasattr(self.task, 'constants'):
      return None
    values = self.task.constants(self.config)
    return jax.device_put(values, sharding.replicated(self.mesh))


def run(
  config: ConfigDict,
  workdir: str | pathlib.Path,
  resume_command: str = 'the same command',
) -> state_lib.TrainState:
  """Trains until `config.train.steps`, a time limit or a signal.

  Args:
    config: see the files in `configs/`.
    workdir: folder of this run; made, or resumed if it holds a checkpoint.
    resume_command: what to print when the run stops early.

  Returns:
    The last state.

  Raises:
    ValueError: for a bad config or folder, before any training.
    DivergedError: if loss or gradients stop being finite.
  """
  workdir = pathlib.Path(workdir)
  this = Run(config, workdir)
  workdir.mkdir(parents=True, exist_ok=True)
  checkpoint.write_config(workdir, config)
  with contextlib.ExitStack() as stack:
    checkpoints = checkpoint.Checkpoints(workdir, this.saving.keep)
    stack.callback(checkpoints.close)
    stop = stack.enter_context(StopSignal())
    state, batches = this.start(checkpoints)
    writer = metrics.MetricWriter(workdir, int(state.step))
    stack.callback(writer.close)
    state = _train(this, state, batches, checkpoints, writer, stop)
  if int(state.step) < this.train.steps:
    print(f'Stopped after step {int(state.step)}. Resume: {resume_command}')
  return state


def _train(
  this: Run,
  state: state_lib.TrainState,
  batches: Any,
  checkpoints: checkpoint.Checkpoints,
  writer: metrics.MetricWriter,
  stop: StopSignal,
) -> state_lib.TrainState:
  """Steps, and every so often metrics, evaluation, samples, a checkpoint."""
  cfg, begin, started_s = this.train, int(state.step), time.monotonic()
  key = jax.device_put(this.key, sharding.replicated(this.mesh))
  constants, monitor = this.constants(), metrics.Monitor()
  bar = tqdm.tqdm(total=cfg.steps, initial=begin, unit='step')
  for step in range(begin + 1, cfg.steps + 1):
    since_s = time.monotonic()
    batch = next(batches)
    waited_s = time.monotonic() - since_s
    with jax.transfer_guard('disallow'):
      batch = sharding.put_batch(batch, this.mesh)
      state, values = this.step(state, batch, key, constants)
      monitor.add(step, values, since_s, waited_s)
    bar.update()
    elapsed_s = time.monotonic() - started_s
    out_of_time = 0 < cfg.time_limit_s < elapsed_s
    last = step == cfg.steps or stop.received or out_of_time
    if last or step % cfg.log_every == 0:
      monitor.flush()
      means = {**monitor.averages(), 'lr': float(this.schedule(step - 1))}
      writer.write(step, means)
      bar.set_postfix(loss=f'{means["loss"]:.4g}')
    if last or step % this.saving.every == 0:
      monitor.flush()
      checkpoints.save(state, batches.get_state(), this.config)
    _hooks(this, state, step, step == cfg.steps, writer)
    if last:
      break
  bar.close()
  return state


def _hooks(
  this: Run,
  state: state_lib.TrainState,
  step: int,
  finished: bool,
  writer: metrics.MetricWriter,
) -> None:
  """Evaluation and samples of the task, when they are due."""

  def due(every: int) -> bool:
    return finished or (every > 0 and step % every == 0)

  if hasattr(this.task, 'evaluate') and due(this.eval_every):
    values = this.task.evaluate(this.config, state.ema, step, this.workdir)
    writer.write(step, {f'eval/{k}': v for k, v in values.items()})
  if hasattr(this.task, 'samples') and due(this.train.samples_every):
    folder = this.workdir / 'samples'
    folder.mkdir(exist_ok=True)
    this.task.samples(this.config, state.ema, step, folder)
