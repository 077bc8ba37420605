"""Reading what `takin_jax.train.audio.extract` computed once for stage 2.

DIR/cache.json tells what there is; DIR/clips/<id>.array_record holds one clip:
record 0 is an .npz, record 1 + i the speech encoder's states of window i as
float16.
"""

import dataclasses
import io
import json
import os
from pathlib import Path
from typing import Any

import grain
import numpy as np

from takin_jax.data.records import SUFFIX, RecordsError

FACTS_FILE = 'cache.json'


@dataclasses.dataclass(frozen=True)
class CacheFacts:
  """What a cache was made with.

  Attributes:
    window: frames per window of speech.
    states: shape of a window's states (L + 1, 2 window, E); () without.
    speech: config block of the speech encoder; {} without.
    latents: whether motion and keypoints are the motion extractor's.
    weights: where speech encoder and motion extractor came from.
  """

  window: int
  states: tuple[int, ...]
  speech: dict[str, Any]
  latents: bool
  weights: dict[str, str]

  def to_json(self) -> str:
    """The text of `cache.json`."""
    return json.dumps(dataclasses.asdict(self), indent=2) + '\n'


def read_facts(folder: str | os.PathLike[str]) -> CacheFacts:
  """Reads `cache.json`.

  Raises:
    RecordsError: if the folder is no cache.
  """
  path = Path(folder) / FACTS_FILE
  try:
    facts = CacheFacts(**json.loads(path.read_text()))
  except (OSError, ValueError, TypeError) as error:
    raise RecordsError(
      f'{folder} is no cache ({error}): make one with '
      '`python -m takin_jax.train.audio.extract`.'
    ) from None
  return dataclasses.replace(facts, states=tuple(facts.states))


def clip_path(folder: str | os.PathLike[str], name: str) -> Path:
  """The file of one clip."""
  return Path(folder) / 'clips' / f'{name}{SUFFIX}'


def read_head(
  folder: str | os.PathLike[str], name: str
) -> dict[str, np.ndarray]:
  """What a cache knows about one clip besides its states.

  Args:
    folder: the cache.
    name: of the clip.

  Returns:
    `starts` int32 [W]: first frames of the windows of speech; with latents,
    float32 by frame: `kp` and `exp` [T, K, 3], `scale` [T, 1], `t` [T, 3],
    `pose` [T, 3] in degrees.

  Raises:
    RecordsError: if the clip is missing or damaged.
  """
  path = clip_path(folder, name)
  if not path.is_file():
    raise RecordsError(
      f'The cache {folder} has no clip {name}: finish it with '
      '`python -m takin_jax.train.audio.extract`.'
    )
  try:
    data = grain.sources.ArrayRecordDataSource([str(path)])[0]
    with np.load(io.BytesIO(data), allow_pickle=False) as head:
      return dict(head)
  except (OSError, ValueError, RuntimeError) as error:
    raise RecordsError(f'{path} is damaged: {error}') from None


class States:
  """Random access to the cached states of clips; opened lazily, pickles.

  Args:
    folder: the cache.
    windows: number of windows by name of the clip.
  """

  def __init__(self, folder: str | os.PathLike[str], windows: dict[str, int]):
    self.shape = read_facts(folder).states
    paths = [str(clip_path(folder, name)) for name in windows]
    self._source = grain.sources.ArrayRecordDataSource(paths)
    first = np.cumsum([0, *(n + 1 for n in windows.values())])[:-1] + 1
    self._first = dict(zip(windows, first.tolist(), strict=True))

  def __call__(self, name: str, window: int) -> np.ndarray:
    """[L + 1, 2T, E] float16 states of a window of the clip `name`."""
    data = self._source[self._first[name] + window]
    return np.frombuffer(data, np.float16).reshape(self.shape)

  def silence(self) -> np.ndarray:
    """States for a window whose sound is dropped."""
    return np.zeros(self.shape, np.float16)
