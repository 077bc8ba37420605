"""The real clips and portraits that reports are made with."""

from collections.abc import Sequence
import dataclasses
from pathlib import Path

import numpy as np

from takin_jax.data import media, records
from takin_jax.data.faces import crop_image, find_crop
from takin_jax.data.records.clip_geometry import ClipGeometry, load_geometry
from takin_jax.eval.cache import digest
from takin_jax.face import FRAME_RATE_HZ

_PICTURES = {'.jpg', '.jpeg', '.png', '.webp', '.bmp'}


@dataclasses.dataclass(frozen=True)
class Clip:
  """One clip of the records.

  Attributes:
    id: name of the record.
    geo: the landmarker's geometry, frame by frame.
    audio: [S] float32 mono at 16 kHz; empty without sound.
  """

  id: str
  geo: ClipGeometry
  audio: np.ndarray
  _images: records.Frames

  def image(self, frame: int) -> np.ndarray:
    """[size_px, size_px, 3] uint8."""
    return self._images(0, int(frame))

  def images(self, frames: Sequence[int]) -> np.ndarray:
    """[N, size_px, size_px, 3] uint8."""
    return np.stack([self.image(frame) for frame in frames])

  @property
  def key(self) -> str:
    """Its name and what it holds, for caches."""
    return f'{self.id}-{digest(self.geo.frames["x"], self.audio)}'

  @property
  def found(self) -> np.ndarray:
    """Numbers of the frames that show a face."""
    return self.geo.found

  @property
  def speaks(self) -> bool:
    """Whether somebody speaks and is heard."""
    return bool(self.geo.meta.get('speech')) and len(self.audio) > 0

  def extreme(self, what: str, pick) -> int:
    """The frame where `pick` (np.argmin, np.argmax) finds 'lips' or 'lids'."""
    return int(self.found[pick(self.geo.frames[what][self.found, 0])])

  @property
  def closed(self) -> int:
    """The frame with the most closed mouth: the source in most reports."""
    return self.extreme('lips', np.argmin)

  def even(self, count: int) -> np.ndarray:
    """At most `count` frames, evenly spaced over the clip."""
    places = np.linspace(0, len(self.found) - 1, min(count, len(self.found)))
    return self.found[places.astype(int)]


def load(
  folder: str, size_px: int, split: str, names: Sequence[str] | None = None
) -> list[Clip]:
  """The clips of one split.

  Args:
    folder: of records.
    size_px: side of the pictures.
    split: whose clips.
    names: only these, in this order, whatever their split.

  Raises:
    RecordsError: if there are none, or not one of that name.
  """
  all_clips = {geo.id: geo for geo in load_geometry(folder)}
  unknown = [name for name in names or () if name not in all_clips]
  if unknown:
    raise records.RecordsError(f'{folder} has no clip {", ".join(unknown)}.')
  names = names or [
    name
    for name, geo in all_clips.items()
    if geo.meta.get('split', 'train') == split and len(geo.found) > 1
  ]
  if not names:
    raise records.EmptySplitError(folder, split)
  paths = {p.name: p for p in records.clip_paths(folder)}
  out = []
  for name in names:
    path, geo = paths[name + records.SUFFIX], all_clips[name]
    audio = records.read_head(path).audio.astype(np.float32) / 32768
    images = records.Frames([path], [len(geo.frames['x'])], size_px)
    out.append(Clip(name, geo, audio, images))
  return out


def liveliest(clips: Sequence[Clip], count: int) -> list[Clip]:
  """The clips with speech first, then those whose heads turn most."""

  def rank(clip: Clip) -> tuple[bool, float]:
    yaw_deg = clip.geo.frames['pose'][clip.found, 1]
    return not clip.geo.meta.get('speech'), -float(yaw_deg.std())

  return sorted(clips, key=rank)[:count]


def people_first(clips: Sequence[Clip]) -> list[Clip]:
  """One clip of everybody, then the second of everybody, and so on."""
  seen: dict[str, int] = {}
  turns = []
  for clip in clips:
    turns.append(seen.get(clip.geo.person, 0))
    seen[clip.geo.person] = turns[-1] + 1
  order = sorted(range(len(turns)), key=turns.__getitem__)
  return [clips[i] for i in order]


def longer(clips: Sequence[Clip], seconds: float) -> list[Clip]:
  """Those of at least so many seconds.

  Raises:
    RecordsError: if there are none.
  """
  least = seconds * FRAME_RATE_HZ
  out = [clip for clip in clips if len(clip.geo.frames['x']) >= least]
  if not out:
    raise records.RecordsError(f'No clip is as long as {seconds} seconds.')
  return out


def load_portraits(
  folder: str, count: int, size_px: int, names: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
  """Crops of portraits, as infer.py makes them.

  Args:
    folder: of pictures.
    count: how many, evenly spaced among the names.
    size_px: side of the crops.
    names: only these.

  Returns:
    [size_px, size_px, 3] uint8 by file name.

  Raises:
    MediaError: if there are none, or one shows no face.
  """
  if not Path(folder).is_dir():
    raise media.MediaError(f'{folder} is not a folder of portraits.')
  if not names:
    paths = sorted(Path(folder).iterdir())
    known = [p.name for p in paths if p.suffix.lower() in _PICTURES]
    places = np.linspace(0, len(known) - 1, min(count, len(known)))
    names = [known[int(i)] for i in places]
  if not names:
    raise media.MediaError(f'{folder} holds no pictures.')
  out = {}
  for name in names:
    image = media.read_image(Path(folder) / name)
    try:
      out[name] = crop_image(image, find_crop(image), size_px)
    except media.MediaError as error:
      raise media.MediaError(f'{name}: {error}') from None
  return out
