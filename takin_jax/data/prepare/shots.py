"""First pass over a video: where its shots are, and what they show.

In: a video of any length. Out: a Scan, a few numbers per frame, from which
everything is decided that does not need another look at the pictures; it is
kept beside the records of long videos, so that interrupted work goes on.
"""

import dataclasses
from pathlib import Path

import numpy as np

from takin_jax import face
from takin_jax.data import faces, media
from takin_jax.data.prepare import quality
from takin_jax.data.prepare.cuts import Flow

MAX_FRAMES = 30 * face.FRAME_RATE_HZ
MIN_FRAMES = face.FRAME_RATE_HZ

_LOOK_EVERY = 8  # frames


@dataclasses.dataclass(frozen=True)
class Scan:
  """What the first pass saw.

  Attributes:
    frames: number of frames at 25 fps.
    size_px: width and height of the pictures.
    jumps: first frames after a sudden change within one scene or to another.
    cuts: first frames of other scenes.
    looks: [L] `quality.LOOK`, rising by frame.
    bytes: size of the file, by which another video of this name is noticed.
  """

  frames: int
  size_px: tuple[int, int]
  jumps: list[int]
  cuts: list[int]
  looks: np.ndarray
  bytes: int


@dataclasses.dataclass(frozen=True)
class Shot:
  """A part of a video that becomes a record.

  Attributes:
    first: its first frame.
    last: the first frame behind it.
    jumps: sudden changes within, counted from its first frame.
    looks: [L] `quality.LOOK` at its frames.
    size_px: width and height of the pictures.
    scene: number of the part with which its scene begins.
  """

  first: int
  last: int
  jumps: list[int]
  looks: np.ndarray
  size_px: tuple[int, int]
  scene: int

  @property
  def frames(self) -> int:
    """Its length."""
    return self.last - self.first


def scan(path: Path, model: Path) -> Scan:
  """Watches a whole video once; keeps no picture.

  Args:
    path: the video.
    model: the landmarker's model file.

  Raises:
    MediaError: unreadable.
  """
  flow, looks = Flow(), []
  with faces.landmarker(model) as detector:
    for k, image in enumerate(media.read_frames(path)):
      flow.add(image)
      if k % _LOOK_EVERY == 0:
        looks.append(quality.look(k, image, detector))
  jumps, cuts = flow.breaks()
  height, width = image.shape[:2]
  looks = np.array(looks, quality.LOOK)
  size = path.stat().st_size
  return Scan(k + 1, (width, height), jumps, cuts, looks, size)


def split(seen: Scan) -> list[Shot]:
  """Shots of a video; long ones in equal parts of at most 30 s."""
  ends = [0, *seen.cuts, seen.frames]
  parts = []
  for start, end in zip(ends[:-1], ends[1:], strict=True):
    count = -(-(end - start) // MAX_FRAMES)
    bounds = np.linspace(start, end, count + 1).round().astype(int).tolist()
    scene = len(parts)
    for first, last in zip(bounds[:-1], bounds[1:], strict=True):
      parts.append(_shot(seen, first, last, scene))
  return parts


def _shot(seen: Scan, first: int, last: int, scene: int) -> Shot:
  at = seen.looks['frame']
  looks = seen.looks[(at >= first) & (at < last)]
  jumps = [k - first for k in seen.jumps if first < k < last]
  return Shot(first, last, jumps, looks, tuple(seen.size_px), scene)


def save(path: Path, seen: Scan) -> None:
  """Writes a scan, under a temporary name until it is complete."""
  path.parent.mkdir(exist_ok=True)
  part = path.with_suffix('.part')
  with open(part, 'wb') as file:
    np.savez_compressed(file, **dataclasses.asdict(seen))
  part.replace(path)


def load(path: Path, video: Path) -> Scan | None:
  """A scan made before; None without one of this very video."""
  if not path.is_file():
    return None
  with np.load(path, allow_pickle=False) as file:
    values = {name: file[name] for name in file.files}
  looks = values.pop('looks')
  seen = Scan(looks=looks, **{k: x.tolist() for k, x in values.items()})
  return seen if seen.bytes == video.stat().st_size else None
