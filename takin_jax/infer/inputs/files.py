"""What a caller may give in place of a path."""

import os
import shutil
import tempfile
from typing import BinaryIO

import numpy as np

from takin_jax.errors import InputError

Path = str | os.PathLike[str]
File = Path | BinaryIO
Pictures = File | np.ndarray


class _Copy(os.PathLike):
  """A file object's bytes in a file of their own, gone with this object."""

  def __init__(self, file: BinaryIO):
    self._file = tempfile.NamedTemporaryFile(prefix='takin-')  # noqa: SIM115
    shutil.copyfileobj(file, self._file)
    self._file.flush()

  def __fspath__(self) -> str:
    return self._file.name

  __str__ = __fspath__


def as_path(given: File) -> Path:
  """A path that can be opened several times, for a path or a file object."""
  return _Copy(given) if hasattr(given, 'read') else given


def check_pictures(array: np.ndarray, ndim: int, argument: str) -> np.ndarray:
  """Raises InputError for anything but [..., H, W, 3] uint8 of so many axes."""
  if array.dtype != np.uint8 or array.ndim != ndim or array.shape[-1] != 3:
    shape = 'T, H, W, 3' if ndim == 4 else 'H, W, 3'
    raise InputError(
      f'An array {list(array.shape)} of {array.dtype} is not [{shape}] of '
      'uint8: give RGB pictures in that form, or a file.',
      argument,
    )
  return array
