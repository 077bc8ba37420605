"""An independent judge: MediaPipe looks at the frames that were made.

In: RGB uint8 pictures. Out: openings, head pose and blendshapes as MediaPipe
sees them, whatever the model believes to have made.
"""

from collections.abc import Iterable, Mapping, Sequence
import dataclasses
from typing import Protocol

import numpy as np

from takin_jax.data.faces import Landmarker, geometry

_POINTS, _SHAPES = 478, 52
_NOSE, _CHEEKS, _CORNERS = 1, (234, 454), (61, 291)
_FOREHEAD, _CHIN = 10, 152
# Both eyes from the left to the right of the picture: corners, iris.
_EYES = ((33, 133, 468), (362, 263, 473))


@dataclasses.dataclass(frozen=True)
class Readings:
  """What MediaPipe sees in N square frames; NaN where it finds no face.

  Openings are relative to the face height, as in `data.faces.geometry`.

  Attributes:
    landmarks: [N, 478, 3] in units of the frame.
    pose_matrix: [N, 4, 4].
    blendshapes: [N, 52] in [0, 1].
    names: of the blendshapes.
  """

  landmarks: np.ndarray
  pose_matrix: np.ndarray
  blendshapes: np.ndarray
  names: tuple[str, ...] = ()

  def __getitem__(self, frames: slice | np.ndarray) -> 'Readings':
    """Some of the frames."""
    arrays = (self.landmarks, self.pose_matrix, self.blendshapes)
    return Readings(*(x[frames] for x in arrays), self.names)

  @property
  def found(self) -> np.ndarray:
    """[N] bool."""
    return np.isfinite(self.landmarks[:, 0, 0])

  @property
  def lips(self) -> np.ndarray:
    """[N] gap between the inner lips."""
    return geometry.lip_opening(self.landmarks)

  @property
  def lids(self) -> np.ndarray:
    """[N] gap between the lids, mean of both eyes."""
    return geometry.eye_opening(self.landmarks)

  @property
  def mouth_width(self) -> np.ndarray:
    """[N] distance of the mouth's corners."""
    a, b = (self.landmarks[:, i, :2] for i in _CORNERS)
    return np.linalg.norm(a - b, axis=-1) / self.face_height

  @property
  def smile(self) -> np.ndarray:
    """[N] blendshape `mouthSmile` in [0, 1], mean of both sides."""
    return self._shape('mouthSmileLeft', 'mouthSmileRight')

  @property
  def jaw(self) -> np.ndarray:
    """[N] blendshape `jawOpen` in [0, 1]."""
    return self._shape('jawOpen')

  @property
  def gaze(self) -> np.ndarray:
    """[N, 2] irises from the middle of their eye's corners, mean of both.

    In widths of the eye: along the line of the corners (positive: to the right
    of the picture) and across it (positive: down).
    """
    sides = []
    for left, right, iris in _EYES:
      a, b, c = (self.landmarks[:, i, :2] for i in (left, right, iris))
      axis = b - a
      across = np.stack([-axis[:, 1], axis[:, 0]], -1)
      offset, square = c - (a + b) / 2, np.square(axis).sum(-1)
      square = np.where(square > 0, square, np.nan)
      sides.append([(offset * way).sum(-1) / square for way in (axis, across)])
    return np.mean(sides, 0).T

  @property
  def yaw(self) -> np.ndarray:
    """[N] how far the nose is right of the middle of the cheeks."""
    x = self.landmarks[..., 0]
    return (x[:, _NOSE] - x[:, _CHEEKS].mean(-1)) / self.face_height

  @property
  def pose_deg(self) -> np.ndarray:
    """[N, 3] pitch, yaw, roll in degrees."""
    out = np.full((len(self.landmarks), 3), np.nan)
    out[self.found] = geometry.pose_deg(self.pose_matrix[self.found])
    return out

  @property
  def curves(self) -> dict[str, np.ndarray]:
    """[N] each: what must follow the driving frames."""
    return {
      'lips': self.lips,
      'lids': self.lids,
      'width': self.mouth_width,
      'smile': self.smile,
      'gaze': self.gaze[:, 0],
      'yaw': self.yaw,
    }

  def _shape(self, *names: str) -> np.ndarray:
    """[N] mean of some blendshapes; NaN if the judge does not know them."""
    places = [self.names.index(name) for name in names if name in self.names]
    if not places:
      return np.full(len(self.landmarks), np.nan)
    return np.where(self.found, self.blendshapes[:, places].mean(-1), np.nan)

  @property
  def face_height(self) -> np.ndarray:
    """[N] from forehead to chin, in units of the frame."""
    xy = self.landmarks[..., :2]
    return np.linalg.norm(xy[:, _FOREHEAD] - xy[:, _CHIN], axis=-1)


def pack(seen: Readings, prefix: str = '') -> dict[str, np.ndarray]:
  """Readings as flat arrays, for `unpack`."""
  names = (field.name for field in dataclasses.fields(seen))
  return {prefix + name: np.asarray(getattr(seen, name)) for name in names}


def unpack(arrays: Mapping[str, np.ndarray], prefix: str = '') -> Readings:
  """The readings that `pack` made flat."""
  names = (field.name for field in dataclasses.fields(Readings))
  parts = {name: arrays[prefix + name] for name in names}
  return Readings(**parts | {'names': tuple(map(str, parts['names']))})


def join(parts: Sequence[Readings]) -> Readings:
  """One after the other."""
  arrays = ('landmarks', 'pose_matrix', 'blendshapes')
  joined = (
    np.concatenate([getattr(p, name) for p in parts]) for name in arrays
  )
  return Readings(*joined, parts[0].names)


class Judge(Protocol):
  """Anything that reads faces off frames."""

  def __call__(self, frames: Iterable[np.ndarray]) -> Readings: ...


class LandmarkJudge:
  """Reads every frame for itself, without memory of the one before.

  Args:
    net: an open `takin_jax.data.faces.landmarker`, not tracking.
  """

  def __init__(self, net: Landmarker):
    self._net = net

  def __call__(self, frames: Iterable[np.ndarray]) -> Readings:
    rows = [self._one(frame) for frame in frames]
    parts = [np.stack(part) for part in zip(*rows, strict=True)]
    return Readings(*parts, tuple(self._net.blendshape_names))

  def _one(self, frame: np.ndarray) -> tuple[np.ndarray, ...]:
    face = self._net.detect(frame)
    if face is None:
      shapes = ((_POINTS, 3), (4, 4), (_SHAPES,))
      return tuple(np.full(shape, np.nan, np.float32) for shape in shapes)
    return face.landmarks, face.pose_matrix, face.blendshapes
