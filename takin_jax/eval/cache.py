"""What was measured of each clip, kept so that a run can be resumed.

One npz file per clip in OUT/cache/KEY; the key is a hash of the settings and
of the weights, so that nothing stale is ever read.
"""

from collections.abc import Callable
import hashlib
import json
import os
from pathlib import Path
from typing import Any
import zipfile

import numpy as np

_FORMAT = 1  # raise it when what is stored, or how it is measured, changes

Arrays = dict[str, np.ndarray]


class Cache:
  """Flat dicts of arrays by name.

  Args:
    folder: where the report goes; None: nothing is kept.
    **settings: plain values that every result depends on.
  """

  def __init__(self, folder: str | Path | None, **settings: Any):
    text = json.dumps([_FORMAT, settings], sort_keys=True, default=str)
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    self._folder = None if folder is None else Path(folder) / 'cache' / key

  def __call__(self, name: str, make: Callable[[], Arrays]) -> Arrays:
    """The arrays of that name, made and stored if they are not there."""
    if self._folder is None:
      return make()
    path = self._folder / f'{name.replace(os.sep, "_")}.npz'
    try:
      with np.load(path, allow_pickle=False) as file:
        return dict(file)
    except (OSError, ValueError, zipfile.BadZipFile):  # not there, or damaged
      arrays = make()
    self._folder.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f'.{os.getpid()}.part')
    with part.open('wb') as file:
      np.savez_compressed(file, **arrays)
    part.replace(path)
    return arrays


def digest(*arrays: np.ndarray) -> str:
  """Eight letters that change with any number of the arrays."""
  found = hashlib.sha256()
  for array in arrays:
    found.update(str(array.shape).encode())
    found.update(np.ascontiguousarray(array).tobytes())
  return found.hexdigest()[:8]
