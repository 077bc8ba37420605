"""Checkpoints: state, data position and resolved config, saved together."""

from collections.abc import Callable, Iterator, Mapping
import contextlib
import dataclasses
import logging
import os
import pathlib
import re
import shutil
from typing import Any

import jax
from jax.experimental import multihost_utils
from ml_collections import ConfigDict
import numpy as np
import orbax.checkpoint as ocp

from takin_jax import config as config_lib
from takin_jax.errors import InputError
from takin_jax.train import checksums, distributed
from takin_jax.train.state import Params, TrainState

FOLDER = 'checkpoints'
# Blocks that must not change between the runs in one folder.
FIXED_BLOCKS = ('stage', 'model', 'diffusion')
_MAY_CHANGE = ('model.dtype',)  # parameters are float32 in any case

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class CheckpointConfig:
  """When to save: every `every` steps and at the end; the last `keep`."""

  every: int = 500
  keep: int = 3

  def __post_init__(self):
    for name in ('every', 'keep'):
      value = getattr(self, name)
      if value < 1:
        raise InputError(f'checkpoint.{name} is {value}: take 1 or more.')


class WorkdirError(InputError):
  """A folder of a run that cannot be used, in one sentence."""


class Checkpoints:
  """The checkpoints in the folder of one run.

  Args:
    workdir: folder of the run.
    keep: how many to keep; None: only read, also while the run goes on.
  """

  def __init__(self, workdir: str | os.PathLike[str], keep: int | None = None):
    self._folder = pathlib.Path(workdir).absolute() / FOLDER
    options = ocp.CheckpointManagerOptions(
      max_to_keep=keep,
      read_only=keep is None,
      cleanup_tmp_directories=keep is not None,
      enable_async_checkpointing=False,
    )
    self._manager = ocp.CheckpointManager(self._folder, options=options)

  def save(
    self, state: TrainState, position: dict[str, Any], config: ConfigDict
  ) -> None:
    """Saves the state after step `state.step`, unless it is saved already.

    Args:
      state: on any devices.
      position: of the data iterator, `get_state()`.
      config: the resolved config of this run.

    Raises:
      WorkdirError: if it cannot be written.
    """
    step = int(jax.device_get(state.step))
    if step in self._manager.all_steps():
      return
    items = ocp.args.Composite(
      state=ocp.args.StandardSave(state),
      data=ocp.args.JsonSave(position),
      config=ocp.args.JsonSave(config.to_dict()),
    )
    try:
      with _quiet():
        self._manager.save(step, args=items)
        self._manager.wait_until_finished()
      if distributed.is_primary():
        checksums.write(self._folder / str(step))
    except Exception as error:  # a disk fails in many types of error
      raise WorkdirError(
        f'Checkpoint {step} cannot be written to {self._folder} '
        f'({_reason(error)}): make room and give the same command, which '
        'goes on from the last checkpoint.'
      ) from error

  def restore(
    self, target: TrainState
  ) -> tuple[TrainState, dict[str, Any]] | None:
    """The newest intact checkpoint; damaged newer ones are moved aside.

    Args:
      target: shapes, dtypes and shardings of the state.

    Returns:
      State and data position; None if there is no checkpoint.

    Raises:
      WorkdirError: if there are checkpoints and none can be read.
    """
    items = ocp.args.Composite(
      state=ocp.args.StandardRestore(target), data=ocp.args.JsonRestore()
    )

    def read(step: int) -> tuple[int, Any]:
      return step, self._manager.restore(step, args=items)

    if jax.process_count() == 1:
      found = self._newest(read)
    else:
      chosen = self._newest_for_all()
      found = None if chosen is None else read(chosen)
    if found is None:
      return None
    step, items = found
    self._move_newer_than(step)
    return items['state'], items['data']

  def ema(self) -> Params:
    """The averaged parameters of the newest intact checkpoint, in numpy.

    Raises:
      WorkdirError: if there is none.
    """
    found = self._newest(self._read_state)
    if found is None:
      raise WorkdirError(f'{self._folder.parent} holds no checkpoint.')
    return found['ema']

  def close(self) -> None:
    """Waits for what is being written."""
    self._manager.close()

  def _read_state(self, step: int) -> dict[str, Any]:
    """The state as nested dicts of numpy arrays, for this process alone."""
    path = self._folder / str(step) / 'state'
    alone = ocp.options.MultiprocessingOptions(
      primary_host=jax.process_index(),
      active_processes={jax.process_index()},
      barrier_sync_key_prefix=f'process{jax.process_index()}',
    )
    handler = ocp.PyTreeCheckpointHandler(multiprocessing_options=alone)
    with ocp.Checkpointer(
      handler, multiprocessing_options=alone
    ) as checkpointer:
      tree = checkpointer.metadata(path).item_metadata.tree
      as_numpy = ocp.RestoreArgs(restore_type=np.ndarray)
      args = jax.tree.map(lambda _: as_numpy, tree)
      return checkpointer.restore(path, restore_args=args)

  def _newest(self, read: Callable[[int], Any]) -> Any:
    steps = sorted(self._manager.all_steps(), reverse=True)
    for step in steps:
      try:
        checksums.verify(self._folder / str(step))
        with _quiet():
          return read(step)
      except Exception as error:  # damage shows in many types of error
        _log.warning(
          'Skipping the damaged checkpoint %d: %s', step, _first_line(error)
        )
    if steps:
      raise WorkdirError(
        f'No checkpoint in {self._folder} can be restored; see the warnings.'
      )
    return None

  def _newest_for_all(self) -> int | None:
    """The step that several processes restore: the primary tries them.

    One that fails while it restores together would leave the others waiting.
    """
    step, error = -1, None
    if distributed.is_primary():
      try:
        step = self._newest(lambda step: self._read_state(step) and step) or -1
      except WorkdirError as no_step:
        step, error = -2, no_step
    distributed.wait_for_all(f'choosing from {self._folder}')
    step = int(multihost_utils.broadcast_one_to_all(np.int32(step)))
    if step == -2:
      raise error or WorkdirError(f'No checkpoint in {self._folder} is intact.')
    return None if step == -1 else step

  def _move_newer_than(self, step: int) -> None:
    """Damaged checkpoints make room for those that are trained again."""
    newer = [s for s in self._manager.all_steps() if s > step]
    if not newer:
      return
    if distributed.is_primary():
      aside = self._folder.with_name('damaged')
      aside.mkdir(exist_ok=True)
      for number in newer:
        shutil.rmtree(aside / str(number), ignore_errors=True)
        (self._folder / str(number)).rename(aside / str(number))
    distributed.wait_for_all(f'moving from {self._folder}')
    self._manager.reload()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
  """Orbax logs the errors that it raises, with their whole history."""
  logger = logging.getLogger('absl')
  level = logger.level
  logger.setLevel(logging.CRITICAL)
  try:
    yield
  finally:
    logger.setLevel(level)


def _reason(error: Exception) -> str:
  """What the system says of a file that could not be written."""
  if isinstance(error, OSError) and error.strerror:
    return error.strerror
  found = re.search(r"os_error_code='(\d+)'", str(error))
  return os.strerror(int(found[1])) if found else _first_line(error)


def _first_line(error: Exception) -> str:
  """What an error says, in at most one short line."""
  lines = str(error).strip().splitlines() or [type(error).__name__]
  return lines[0][:200]


def write_config(workdir: pathlib.Path, config: ConfigDict) -> None:
  """Checks the folder's config against `config`, then writes config.json.

  Raises:
    WorkdirError: if the folder holds a run of another model.
  """
  path = workdir / 'config.json'
  if path.exists():
    check_same_model(read_config(workdir), config, workdir)
  if distributed.is_primary():
    temporary = path.with_suffix('.tmp')
    temporary.write_text(config_lib.to_json(config))
    temporary.replace(path)


def read_config(workdir: str | os.PathLike[str]) -> ConfigDict:
  """The resolved config of the run in this folder.

  Raises:
    WorkdirError: if the folder holds no run, or its config is damaged.
  """
  path = pathlib.Path(workdir) / 'config.json'
  if not path.is_file():
    raise WorkdirError(f'{workdir} holds no training run (no config.json).')
  try:
    config = config_lib.from_json(path.read_text())
  except ValueError as error:
    raise WorkdirError(
      f'{path} is damaged ({_first_line(error)}): write it anew from a '
      'checkpoint of this run, or give another folder.'
    ) from None
  return config


def check_same_model(
  old: Mapping[str, Any], new: Mapping[str, Any], workdir: pathlib.Path
) -> None:
  """Raises WorkdirError if two configs differ in stage or model."""
  values = []
  for config in (old, new):
    config = config_lib.from_json(config_lib.to_json(config))
    leaves = config_lib.config_leaves(config)
    values.append(
      {k: v for k, v in leaves.items() if k.split('.')[0] in FIXED_BLOCKS}
    )
  for key in sorted({*values[0], *values[1]} - {*_MAY_CHANGE}):
    was, wanted = (v.get(key, 'nothing') for v in values)
    if was != wanted:
      raise WorkdirError(
        f'{workdir} holds a run of config {old.get("name")!r} with {key} = '
        f'{was}, but config {new.get("name")!r} has {wanted}: give another '
        '--workdir.'
      )
