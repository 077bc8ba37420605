"""The training loop: the same for every stage and any number of devices.

In: a config and a folder. Out: checkpoints, metrics and samples in it. Run it
again with the same folder and it goes on where it stopped.
"""

import contextlib
import functools
import pathlib
import time
from typing import Any

import jax
from ml_collections import ConfigDict
import tqdm

from takin_jax import config as config_lib
from takin_jax.train import (
  checkpoint,
  distributed,
  metrics,
  overview,
  sharding,
  speed,
)
from takin_jax.train.feed import Feed
from takin_jax.train.hooks import Hooks
from takin_jax.train.program import Program
from takin_jax.train.state import TrainState
from takin_jax.train.stopping import Stopper
from takin_jax.train.workdir import occupy


def run(
  config: ConfigDict,
  workdir: str | pathlib.Path,
  resume_command: str = 'the same command',
) -> TrainState:
  """Trains until `config.train.steps`, a time limit or a signal.

  Args:
    config: see the files in `configs/`.
    workdir: folder of this run; made, or resumed if it holds a checkpoint.
      Several processes must all see it.
    resume_command: what to print when the run stops early.

  Returns:
    The last state.

  Raises:
    InputError: for a bad config or folder, before any training.
    DivergedError: if loss or gradients stop being finite.
  """
  workdir = pathlib.Path(workdir)
  program = Program(config)
  saving = config_lib.build(
    checkpoint.CheckpointConfig, config.get('checkpoint')
  )
  _check(program)
  with contextlib.ExitStack() as stack:
    stack.enter_context(occupy(workdir))
    checkpoint.write_config(workdir, config)
    overview.write(program.state.params, workdir)
    checkpoints = checkpoint.Checkpoints(workdir, saving.keep)
    stack.callback(checkpoints.close)
    stop = stack.enter_context(
      Stopper(program.mesh, program.train.time_limit_s)
    )
    state, batches = _start(program, checkpoints)
    begin = int(state.step)
    writer = metrics.MetricWriter(workdir, begin)
    stack.callback(writer.close)
    put = functools.partial(sharding.put_batch, mesh=program.mesh)
    feed = Feed(batches, put)
    stack.callback(feed.close)
    hooks = Hooks(program, workdir, writer, checkpoints, saving.every)
    if begin < program.train.steps:
      state = _train(program, state, feed, hooks, stop)
  done = int(state.step)
  if done < program.train.steps and distributed.is_primary():
    print(f'Stopped after step {done}. Resume: {resume_command}')
  return state


def _check(program: Program) -> None:
  """Says what will be left out; raises if the run cannot get through."""
  notes = program.check()
  if distributed.is_primary() and notes:
    print(*notes, sep='\n')


def _start(
  program: Program, checkpoints: checkpoint.Checkpoints
) -> tuple[TrainState, Any]:
  """State and batches, from the newest checkpoint or from the beginning."""
  batches = program.task.batches()
  restored = checkpoints.restore(program.state)
  if not restored:
    return program.first_state(), batches
  state, position = restored
  batches.set_state(position)
  return state, batches


def _train(
  program: Program, state: TrainState, feed: Feed, hooks: Hooks, stop: Stopper
) -> TrainState:
  """Steps, and every so often metrics, a checkpoint, evaluation, samples."""
  cfg, begin = program.train, int(state.step)
  whole = sharding.replicated(program.mesh)
  key = program.key_everywhere()
  constants = jax.device_put(program.task.constants(), whole)
  batch = next(feed)  # also tells the shapes
  step_fn, rates = compile_step(program, batch, constants)
  monitor = metrics.Monitor()
  bar = tqdm.tqdm(
    total=cfg.steps,
    initial=begin,
    unit='step',
    disable=not distributed.is_primary(),
  )
  for step in range(begin + 1, cfg.steps + 1):
    since_s = time.monotonic()
    batch = next(feed) if batch is None else batch
    waited_s = time.monotonic() - since_s
    with jax.transfer_guard('disallow'):
      state, values = step_fn(state, batch, key, constants)
      monitor.add(step, values, since_s, waited_s)
    batch = None
    bar.update()
    last = stop() or step == cfg.steps
    if last or step % cfg.log_every == 0:
      bar.set_postfix(loss=f'{hooks.log(step, monitor, rates):.4g}')
    if last or step % hooks.save_every == 0:
      monitor.flush()  # raises before a bad state is saved
      hooks.save(state, feed.get_state())
    hooks.look(state, step)
    if last:
      break
  bar.close()
  return state


def compile_step(
  program: Program, batch: Any, constants: Any
) -> tuple[jax.stages.Compiled, speed.Speed]:
  """The compiled step for such batches, and what it can say of its speed."""
  lowered = program.lower(batch, constants)
  rates = speed.Speed(
    batch,
    program.flops(lowered, batch, constants),
    program.mesh.devices.ravel().tolist(),
    program.train.peak_tflops,
  )
  return lowered.compile(), rates
