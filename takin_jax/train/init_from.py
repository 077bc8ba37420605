"""Starting a run from trained parameters: weights folders or other runs."""

from collections.abc import Iterable
import pathlib

import jax
from ml_collections import ConfigDict
import numpy as np

from takin_jax import weights
from takin_jax.errors import InputError
from takin_jax.train import checkpoint
from takin_jax.train.state import Params
from takin_jax.train.steps import STATS


def load(name_or_dir: str) -> tuple[ConfigDict, Params]:
  """Config and parameters of a run (its averaged ones) or weights folder."""
  path = pathlib.Path(name_or_dir)
  if not (path / checkpoint.FOLDER).is_dir():
    return weights.load(name_or_dir)
  config = checkpoint.read_config(path)
  checkpoints = checkpoint.Checkpoints(path)
  try:
    return config, checkpoints.ema()
  finally:
    checkpoints.close()


def load_groups(name_or_dir: str) -> Params:
  """Parameter groups of a run or weights folder."""
  return load(name_or_dir)[1]


def check(sources: Iterable[str]) -> None:
  """Raises InputError for a source that is neither a run nor weights."""
  for source in sources:
    path = source.partition(':')[0]
    if (pathlib.Path(path) / checkpoint.FOLDER).is_dir():
      checkpoint.read_config(path)
    elif not (weights.folder(path) / weights.PARAMS_FILE).is_file():
      raise InputError(
        f'{path} is neither a training run with a checkpoint nor a weights '
        'folder: check the path, or train it first.'
      )


def replace_groups(params: Params, sources: Iterable[str]) -> Params:
  """Replaces parameter groups by trained ones.

  Args:
    params: the initial parameters.
    sources: `PATH` or `PATH:group,group`; without names all groups that both
      sides have. Later sources win.

  Returns:
    A new dict of groups; replaced ones are float32 numpy.

  Raises:
    InputError: if a named group is missing or has other shapes.
  """
  params = dict(params)
  for source in sources:
    path, _, names = source.partition(':')
    groups = load_groups(path)
    chosen = names.split(',') if names else [k for k in groups if k in params]
    if not chosen:
      raise InputError(f'{path} has no parameter group of this run.')
    for name in chosen:
      if name not in groups or name not in params:
        where = path if name not in groups else 'this run'
        raise InputError(f'There is no parameter group {name!r} in {where}.')
      given = groups[name]
      if name == STATS:  # of modules that both sides have
        ours = {k: v for k, v in params[name].items() if k not in groups}
        given = ours | {k: v for k, v in given.items() if k in params}
      _check_group(f'{path}:{name}', given, params[name])
      params[name] = jax.tree.map(lambda x: np.asarray(x, np.float32), given)
  return params


def _check_group(label: str, given: Params, wanted: Params) -> None:
  shapes = []
  for tree in (given, wanted):
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    shapes.append({jax.tree_util.keystr(k): np.shape(x) for k, x in leaves})
  for key in sorted({*shapes[0], *shapes[1]}):
    has, needs = (s.get(key, 'nothing') for s in shapes)
    if has != needs:
      raise InputError(
        f'{label}{key} has shape {has}, the config of this run needs {needs}.'
      )
