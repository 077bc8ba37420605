"""Reading checkpoint files as numpy arrays, without running what is in them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
import json
import os
from pathlib import Path
import pickle
import re
from typing import Any
import warnings
import zipfile

import numpy as np
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from takin_jax.convert.apply import ConvertError
from takin_jax.weights.foreign import what_it_is

Arrays = dict[str, np.ndarray]

# What `torch.load(weights_only=True)` says of a pickle that wants to run code.
_REFUSALS = ('nsupported', 'not an allowed', 'was not allowed')
_OLDEST_TORCH = (2, 6)  # `weights_only` of older ones can be made to run code
_DEEPEST = 16
_LARGEST = 2**28  # numbers of one tensor; those of 1 may be shown as many


def read_torch(path: Path) -> Arrays:
  """Tensors of a .pth or .bin file, floats as float32.

  Nested dicts become names joined by dots; old and new torch formats.

  Raises:
    ConvertError: if the file is missing, damaged or not plain tensors.
  """
  tree = load_torch(path)
  if isinstance(tree, Mapping) and isinstance(tree.get('state_dict'), Mapping):
    tree = tree['state_dict']
  return arrays_of(tree, path)


def load_torch(path: Path, allowed: Sequence[type] = ()) -> Any:
  """What lies in a file of `torch.save`, without running any of it.

  Args:
    path: the file.
    allowed: classes that may be in it beside tensors and plain containers.

  Raises:
    ConvertError: if it is missing, damaged, or holds anything else.
  """
  _check_file(path)
  torch = _torch(path)
  try:
    _check_stored(path)
    with (
      warnings.catch_warnings(),
      torch.serialization.safe_globals(list(allowed)),
    ):
      warnings.simplefilter('ignore')  # of old formats
      return torch.load(path, map_location='cpu', weights_only=True)
  except ConvertError:
    raise
  except Exception as error:  # damage shows in many types of error
    refused = any(word in str(error) for word in _REFUSALS)
    if isinstance(error, pickle.UnpicklingError) and refused:
      raise ConvertError(
        f'{path} is refused: it needs unpickling of more than tensors, which '
        'could run any code.'
      ) from None
    raise _damaged(path, error) from None


def arrays_of(tree: Any, path: Path) -> Arrays:
  """The tensors of nested dicts, floats as float32; names joined by dots.

  Args:
    tree: of `load_torch`.
    path: for messages.

  Raises:
    ConvertError: if there is anything but tensors with values.
  """
  torch = _torch(path)
  arrays = {}
  for key, value in _flatten(tree, path):
    if not isinstance(value, torch.Tensor):
      raise ConvertError(f'{path} is no state dict: {key!r} is no tensor.')
    if not _is_plain(value):
      raise ConvertError(
        f'{path} has no plain numbers for {key!r} ({value.dtype}, '
        f'{value.layout}, on {value.device}).'
      )
    value = value.detach()
    arrays[key] = (
      value.float() if value.is_floating_point() else value
    ).numpy()
  return arrays


def _torch(path: Path) -> Any:
  """The module torch, of a version that is safe to read files with."""
  try:
    import torch
  except ImportError:
    raise ConvertError(
      f'{path} can only be read with PyTorch: pip install torch.'
    ) from None
  version = tuple(int(x) for x in re.findall(r'\d+', torch.__version__)[:2])
  if version < _OLDEST_TORCH:
    raise ConvertError(
      f'{path} is not read with PyTorch {torch.__version__}, which could run '
      'code in it: install 2.6 or newer.'
    )
  return torch


def _check_stored(path: Path) -> None:
  """Raises ConvertError for what `torch.save` does not write."""
  with path.open('rb') as file:
    head = file.read(4)
  if not head.startswith((b'PK\x03\x04', b'\x80')):  # ZIP, or a pickle
    raise _damaged(path, ValueError('neither ZIP nor pickle'))
  if not zipfile.is_zipfile(path):
    return
  with zipfile.ZipFile(path) as file:
    if any(x.compress_type != zipfile.ZIP_STORED for x in file.infolist()):
      raise ConvertError(f'{path} is compressed, which PyTorch never does.')


def _is_plain(tensor: Any) -> bool:
  """Whether all values are there as real numbers, and not more than fit."""
  import torch

  return (
    tensor.layout == torch.strided
    and tensor.device.type == 'cpu'
    and not tensor.is_quantized
    and not tensor.is_complex()
    and not tensor.is_neg()
    and tensor.numel() <= _LARGEST
  )


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
    except (AttributeError, KeyError, TypeError) as error:
      raise ConvertError(
        f'{path} has numbers of a type that is not supported ({error}).'
      ) from None
  whole = (np.bool_, np.integer)
  return {
    k: x if issubclass(x.dtype.type, whole) else x.astype(np.float32)
    for k, x in arrays.items()
  }


def read_pickled_arrays(path: Path) -> Arrays:
  """NumPy arrays and numbers of a pickled dict, by an unpickler for them alone.

  Raises:
    ConvertError: if the file is missing, damaged, or holds anything else.
  """
  _check_file(path)
  try:
    with path.open('rb') as file:
      value = _ArrayUnpickler(file).load()
  except ConvertError:
    raise
  except Exception as error:  # damage shows in many types of error
    raise _damaged(path, error) from None
  if not isinstance(value, dict):
    raise ConvertError(f'{path} holds no dict of arrays.')
  arrays = {}
  for key, item in value.items():
    item = np.asarray(item)
    if not np.issubdtype(item.dtype, np.number):
      raise ConvertError(f'{path} has no numbers for {key!r}.')
    arrays[str(key)] = item.astype(np.float32)
  return arrays


class _ArrayUnpickler(pickle.Unpickler):
  """Knows what makes NumPy arrays and numbers, and nothing else."""

  _KNOWN = {
    ('numpy', 'ndarray'),
    ('numpy', 'dtype'),
    ('_codecs', 'encode'),  # of bytes, in old protocols
    ('numpy.core.multiarray', '_reconstruct'),
    ('numpy.core.multiarray', 'scalar'),
    ('numpy.core.numeric', '_frombuffer'),
    ('numpy._core.multiarray', '_reconstruct'),
    ('numpy._core.multiarray', 'scalar'),
    ('numpy._core.numeric', '_frombuffer'),
  }

  def find_class(self, module: str, name: str) -> Any:
    if (module, name) in self._KNOWN:
      return super().find_class(module, name)
    raise ConvertError(
      f'A pickle that needs {module}.{name} is refused: only arrays are read.'
    )


def read_json(path: Path) -> dict[str, Any]:
  """A JSON object.

  Raises:
    ConvertError: if the file is missing or holds something else.
  """
  _check_file(path)
  try:
    value = json.loads(path.read_text())
  except (ValueError, RecursionError) as error:
    raise _damaged(path, error) from None
  if not isinstance(value, dict):
    raise ConvertError(f'{path} holds no JSON object.')
  return value


def _check_file(path: str | os.PathLike[str]) -> None:
  if not Path(path).is_file():
    raise ConvertError(f'There is no file {path}.')
  instead = what_it_is(path)
  if instead:
    raise ConvertError(f'{path} is {instead}.')


def _damaged(path: Path, error: Exception) -> ConvertError:
  lines = str(error).strip().splitlines() or [type(error).__name__]
  return ConvertError(
    f'{path} is damaged, truncated or of another format ({lines[0][:120]}).'
  )


def _flatten(
  tree: Any, path: Path, prefix: str = '', depth: int = 0
) -> Iterator[tuple[str, Any]]:
  if not isinstance(tree, Mapping):
    yield prefix.rstrip('.') or 'the whole file', tree
    return
  if depth > _DEEPEST:
    raise ConvertError(f'{path} is no state dict: it is nested too deeply.')
  for key, value in tree.items():
    if isinstance(value, Mapping):
      yield from _flatten(value, path, f'{prefix}{key}.', depth + 1)
    else:
      yield f'{prefix}{key}', value
