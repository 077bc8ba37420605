"""Reading the records that `takin_jax.data.prepare` writes.

DIR/clips/<id>.array_record: record 0 is the clip (an .npz), record 1 + t the
JPEG of frame t.
"""

import csv
import dataclasses
import io
import json
import os
from pathlib import Path
from typing import Any

import cv2
import grain
import numpy as np

from takin_jax.errors import InputError

SUFFIX = '.array_record'
MANIFEST = 'manifest.tsv'  # what became of every clip, and who is held out


class RecordsError(InputError):
  """A folder of records that cannot be used, in one sentence."""


class EmptySplitError(RecordsError):
  """Records without a clip of one split.

  Args:
    folder: of records.
    split: 'train' or 'val'.
  """

  def __init__(self, folder: str | os.PathLike[str], split: str):
    super().__init__(
      f'{folder} has no clip of split {split!r}: run takin_jax.data.prepare '
      'again, which holds people out by itself and keeps what is finished; '
      '--val says whom.'
    )


@dataclasses.dataclass(frozen=True)
class ClipHead:
  """All of a clip but its pictures.

  Attributes:
    id: name of the record.
    meta: file, person, emotion, speech, split, frames, size_px, ...
    audio: int16 [S] mono, 16 kHz; empty without sound.
    landmarks: float32 [T, 478, 3] in crop units.
    pose_matrix: float32 [T, 4, 4].
    blendshapes: float32 [T, 52].
    found: bool [T], whether the frame shows a face.
  """

  id: str
  meta: dict[str, Any]
  audio: np.ndarray
  landmarks: np.ndarray
  pose_matrix: np.ndarray
  blendshapes: np.ndarray
  found: np.ndarray


def clip_paths(records: str | os.PathLike[str]) -> list[Path]:
  """The clips in a folder of records, sorted.

  Raises:
    RecordsError: if there are none.
  """
  paths = sorted((Path(records) / 'clips').glob(f'*{SUFFIX}'))
  if not paths:
    raise RecordsError(
      f'{records} holds no records: make them with '
      '`python -m takin_jax.data.prepare`.'
    )
  return paths


def read_head(path: Path) -> ClipHead:
  """Reads record 0 of a clip.

  Raises:
    RecordsError: if the file is damaged.
  """
  try:
    data = grain.sources.ArrayRecordDataSource([str(path)])[0]
    with np.load(io.BytesIO(data), allow_pickle=False) as head:
      arrays = dict(head)
  except (OSError, ValueError, RuntimeError) as error:
    raise RecordsError(f'{path} is damaged: {error}') from error
  meta = json.loads(str(arrays.pop('meta')))
  return ClipHead(path.name.removesuffix(SUFFIX), meta, **arrays)


def read_heads(folder: str | os.PathLike[str]) -> list[ClipHead]:
  """Record 0 of all clips; who is held out is the manifest's word.

  Raises:
    RecordsError: if there are none, or one is damaged.
  """
  splits = {
    row['id']: row['split']
    for row in read_manifest(Path(folder) / MANIFEST)
    if row.get('split')
  }
  heads = [read_head(path) for path in clip_paths(folder)]
  for head in heads:
    head.meta['split'] = splits.get(head.id, head.meta.get('split', 'train'))
  return heads


def read_manifest(path: Path) -> list[dict[str, str]]:
  """The lines of manifest.tsv by column; none if it is not there."""
  if not path.is_file():
    return []
  with open(path, newline='', encoding='utf-8') as f:
    return list(csv.DictReader(f, delimiter='\t'))


def blendshape_names(records: str | os.PathLike[str]) -> list[str]:
  """Names of the blendshapes; empty for records without them."""
  path = Path(records) / 'blendshapes.json'
  return json.loads(path.read_text()) if path.is_file() else []


class Frames:
  """Random access to the pictures of clips; opened lazily, pickles.

  Args:
    paths: the clips.
    lengths: frames of each.
    size_px: side of the pictures; others are resized.
  """

  def __init__(self, paths: list[Path], lengths: list[int], size_px: int):
    self._size = (size_px, size_px)
    self._source = grain.sources.ArrayRecordDataSource([str(p) for p in paths])
    self._first = np.cumsum([0, *(n + 1 for n in lengths)])[:-1] + 1

  def __call__(self, clip: int, frame: int) -> np.ndarray:
    """[size_px, size_px, 3] uint8 RGB of one frame."""
    data = self._source[int(self._first[clip]) + frame]
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image.shape[:2] != self._size:
      image = cv2.resize(image, self._size, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
