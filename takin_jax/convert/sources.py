"""Reading checkpoint files as numpy arrays, without running what is in them."""

from collections.abc import Iterable, Mapping
import json
import os
from pathlib import Path
import pickle
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from takin_jax.convert.apply import ConvertError

Arrays = dict[str, np.ndarray]

# What `torch.load(weights_only=True)` says of a pickle that wants to run code.
_REFUSALS = ('nsupported', 'not an allowed', 'was not allowed')


def read_torch(path: Path) -> Arrays:
  """Tensors of a .pth or .bin file, floats as float32.

  Nested dicts become names joined by dots; old and new torch formats.

  Raises:
    ConvertError: if the file is missing, damaged or not plain tensors.
  """
  _check_file(path)
  try:
    import torch
  except ImportError:
    raise ConvertError(
      f'{path} can only be read with PyTorch: pip install torch.'
    ) from None
  try:
    tree = torch.load(path, map_location='cpu', weights_only=True)
  except pickle.UnpicklingError as error:
    if any(word in str(error) for word in _REFUSALS):
      raise ConvertError(
        f'{path} is refused: it needs unpickling of more than tensors, which '
        'could run any code.'
      ) from None
    raise _damaged(path, error) from None
  except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
    raise _damaged(path, error) from None
  if isinstance(tree, Mapping) and isinstance(tree.get('state_dict'), Mapping):
    tree = tree['state_dict']
  flat = dict(_flatten(tree))
  for key, value in flat.items():
    if not isinstance(value, torch.Tensor):
      raise ConvertError(f'{path} is no state dict: {key!r} is no tensor.')
  return {
    key: (x.float() if x.is_floating_point() else x).numpy()
    for key, x in flat.items()
  }


def read_safetensors(paths: Iterable[Path]) -> Arrays:
  """Tensors of one or more .safetensors files, floats as float32.

  Raises:
    ConvertError: if a file is missing or damaged.
  """
  arrays: Arrays = {}
  for path in paths:
    _check_file(path)
    try:
      arrays |= safetensors.load_file(path)
    except (SafetensorError, OSError) as error:
      raise _damaged(path, error) from None
  whole = (np.bool_, np.integer)
  return {
    k: x if issubclass(x.dtype.type, whole) else x.astype(np.float32)
    for k, x in arrays.items()
  }


def read_json(path: Path) -> dict[str, Any]:
  """A JSON object.

  Raises:
    ConvertError: if the file is missing or holds something else.
  """
  _check_file(path)
  try:
    value = json.loads(path.read_text())
  except (json.JSONDecodeError, UnicodeDecodeError) as error:
    raise _damaged(path, error) from None
  if not isinstance(value, dict):
    raise ConvertError(f'{path} holds no JSON object.')
  return value


def _check_file(path: str | os.PathLike[str]) -> None:
  if not Path(path).is_file():
    raise ConvertError(f'There is no file {path}.')


def _damaged(path: Path, error: Exception) -> ConvertError:
  lines = str(error).strip().splitlines() or [type(error).__name__]
  return ConvertError(
    f'{path} is damaged, truncated or of another format ({lines[0][:120]}).'
  )


def _flatten(tree: Any, prefix: str = '') -> Iterable[tuple[str, Any]]:
  if not isinstance(tree, Mapping):
    yield prefix.rstrip('.') or 'the whole file', tree
    return
  for key, value in tree.items():
    if isinstance(value, Mapping):
      yield from _flatten(value, f'{prefix}{key}.')
    else:
      yield f'{prefix}{key}', value
