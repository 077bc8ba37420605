"""Weights folders: what training exports and inference reads.

A folder holds `config.json` (model, diffusion and crop facts),
`params.safetensors` (float16 or float32; names joined by '/') and
`MODEL_CARD.md`.
"""

import os
import pathlib
import tempfile
from typing import Any

from flax import traverse_util
from ml_collections import ConfigDict
import numpy as np
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from takin_jax import config as config_lib
from takin_jax.weights import check, foreign
from takin_jax.weights.check import WeightsError

CONFIG_FILE = 'config.json'
PARAMS_FILE = 'params.safetensors'

Params = dict[str, Any]

# Of a file, or of a type of number that NumPy has not.
_DAMAGE = (AttributeError, KeyError, OSError, TypeError, ValueError)


def known() -> list[str]:
  """Names of the weights that come with the package."""
  return ['nano']


def folder(name_or_dir: str | os.PathLike[str]) -> pathlib.Path:
  """The folder of shipped weights, or the given folder itself."""
  if str(name_or_dir) in known():
    return pathlib.Path(__file__).parent / str(name_or_dir)
  return pathlib.Path(name_or_dir)


def load(name_or_dir: str | os.PathLike[str]) -> tuple[ConfigDict, Params]:
  """Reads a weights folder.

  Args:
    name_or_dir: a name in `known()` or a folder.

  Returns:
    Its config and its parameters, nested dicts of float32 arrays.

  Raises:
    WeightsError: if folder or file is missing or damaged.
  """
  path = folder(name_or_dir)
  if not path.is_dir():
    raise WeightsError(
      f'There is no weights folder {path}; shipped weights: '
      f'{", ".join(known())}.'
    )
  for name in (CONFIG_FILE, PARAMS_FILE):
    if not (path / name).is_file():
      raise WeightsError(f'The weights folder {path} has no {name}.')
    instead = foreign.what_it_is(path / name)
    if instead:
      raise WeightsError(f'{path / name} is {instead}.')
  try:
    config = config_lib.from_json((path / CONFIG_FILE).read_text())
  except (ValueError, OSError) as error:
    raise WeightsError(
      f'{path / CONFIG_FILE} is not JSON of a config: {error}.'
    ) from None
  try:
    flat = safetensors.load_file(path / PARAMS_FILE)
  except (*_DAMAGE, SafetensorError) as error:
    raise WeightsError(
      f'{path / PARAMS_FILE} is damaged or truncated ({error}).'
    ) from None
  try:
    check.check_params(flat)
    check.check_config(config, flat)
  except WeightsError as error:
    raise WeightsError(f'{path} cannot be used: {error}') from None
  flat = {name: np.asarray(x, np.float32) for name, x in flat.items()}
  return config, traverse_util.unflatten_dict(flat, sep='/')


def save(
  directory: str | os.PathLike[str],
  config: ConfigDict | dict[str, Any],
  params: Params,
  dtype: type[np.floating] = np.float16,
) -> None:
  """Writes a weights folder; files that are there are replaced whole.

  Args:
    directory: made if missing; other files in it stay.
    config: what `load` shall return as config.
    params: nested dicts of arrays.
    dtype: how they are stored.

  Raises:
    WeightsError: for a value that this type cannot hold.
  """
  flat = {}
  for name, leaf in traverse_util.flatten_dict(params, sep='/').items():
    with np.errstate(over='ignore'):
      stored = np.asarray(leaf, np.float32).astype(dtype)
    if not np.isfinite(stored).all():
      raise WeightsError(f'{name} is not finite as {np.dtype(dtype)}.')
    flat[name] = np.ascontiguousarray(stored)
  path = pathlib.Path(directory)
  path.mkdir(parents=True, exist_ok=True)
  with tempfile.TemporaryDirectory(dir=path.parent) as temporary:
    temporary = pathlib.Path(temporary)
    safetensors.save_file(flat, temporary / PARAMS_FILE)
    (temporary / CONFIG_FILE).write_text(config_lib.to_json(config))
    for name in (PARAMS_FILE, CONFIG_FILE):
      (temporary / name).chmod(0o644)  # readable like any other file
      os.replace(temporary / name, path / name)
