"""MediaPipe's FaceLandmarker: 478 points, 52 blendshapes, head pose.

In: RGB uint8 pictures. Out: a Face. Needs the extra `data`; the model (3.8 MB)
is given, found, or downloaded once.
Source: MediaPipe, Apache-2.0.
"""

from collections.abc import Iterator
import contextlib
import hashlib
import importlib.util
import os
from pathlib import Path
from typing import NamedTuple
import urllib.request

import numpy as np

from takin_jax.data.media import MediaError
from takin_jax.data.media.quiet import quiet

MODEL_ENV = 'TAKIN_FACE_LANDMARKER'
_MODEL_URL = (
  'https://storage.googleapis.com/mediapipe-models/face_landmarker/'
  'face_landmarker/float16/1/face_landmarker.task'
)
_MODEL_SHA256 = (
  '64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff'
)
_MAX_FACES = 16  # the net takes the clearest ones, not the largest

StrPath = str | os.PathLike


class Face(NamedTuple):
  """What the landmarker sees in one picture.

  Attributes:
    landmarks: [478, 3] float32; x and y in [0, 1] of the picture's width and
      height, z in the unit of x.
    blendshapes: [52] float32 in [0, 1].
    pose_matrix: [4, 4] float32, y up, z towards the viewer.
    count: number of faces in the picture, this being the largest.
    second: side of the second largest face over that of this one; 0: none.
  """

  landmarks: np.ndarray
  blendshapes: np.ndarray
  pose_matrix: np.ndarray
  count: int
  second: float = 0.0


def landmark_box(face: Face, width: int, height: int) -> np.ndarray:
  """[4] x0, y0, x1, y1 around the landmarks, in pixels."""
  points = face.landmarks[:, :2] * np.array([width, height])
  return np.concatenate([points.min(0), points.max(0)])


@contextlib.contextmanager
def landmarker(
  path: StrPath | None = None, tracking: bool = False
) -> Iterator['Landmarker']:
  """Opens the landmarker.

  Args:
    path: the model file; by default $TAKIN_FACE_LANDMARKER, the user's cache,
      or a download from the official address into the cache.
    tracking: the pictures are frames of one video (one face, faster).

  Raises:
    MediaError: MediaPipe or its model is missing.
  """
  model = find_model(path)
  import mediapipe  # takes a second, and is optional

  with quiet():
    detector = Landmarker(mediapipe, model, tracking)
  try:
    yield detector
  finally:
    detector.close()


def find_model(path: StrPath | None = None) -> Path:
  """The model file: given, in the environment, cached, or downloaded now.

  Raises:
    MediaError: there is none, or MediaPipe is not installed.
  """
  if not _installed():
    raise MediaError(
      'Landmarks need MediaPipe, which is not installed: '
      'pip install "takin-jax[data]".'
    )
  given = path or os.environ.get(MODEL_ENV)
  if given:
    if not Path(given).is_file():
      raise MediaError(
        f'{given} is not a file: give the path of face_landmarker.task.'
      )
    return Path(given)
  if not _cached().is_file():
    _download(_cached())
  return _cached()


def local_model() -> Path | None:
  """The model if MediaPipe is installed and nothing has to be downloaded."""
  given = os.environ.get(MODEL_ENV)
  path = Path(given) if given else _cached()
  return path if _installed() and path.is_file() else None


class Landmarker:
  """An open landmarker; made by `landmarker`."""

  def __init__(self, mediapipe, model: Path, tracking: bool):
    vision = mediapipe.tasks.vision
    mode = vision.RunningMode
    self._mediapipe = mediapipe
    self._tracking = tracking
    self._net = vision.FaceLandmarker.create_from_options(
      vision.FaceLandmarkerOptions(
        base_options=mediapipe.tasks.BaseOptions(model_asset_path=str(model)),
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
        num_faces=1 if tracking else _MAX_FACES,
        running_mode=mode.VIDEO if tracking else mode.IMAGE,
      )
    )
    self.blendshape_names: list[str] = []  # known after the first face

  def detect(self, image: np.ndarray, time_ms: int = 0) -> Face | None:
    """Finds the largest face of a picture.

    Args:
      image: [H, W, 3] uint8 RGB.
      time_ms: rising from call to call; used when tracking.

    Returns:
      The face, or None.
    """
    return next(iter(self.detect_all(image, time_ms)), None)

  def detect_all(self, image: np.ndarray, time_ms: int = 0) -> list[Face]:
    """All faces, the largest first; arguments as for `detect`."""
    picture = self._mediapipe.Image(
      image_format=self._mediapipe.ImageFormat.SRGB,
      data=np.ascontiguousarray(image),
    )
    if self._tracking:
      found = self._net.detect_for_video(picture, time_ms)
    else:
      found = self._net.detect(picture)
    if not found.face_landmarks:
      return []
    points = np.array(
      [[(p.x, p.y, p.z) for p in face] for face in found.face_landmarks],
      np.float32,
    )
    areas = np.ptp(points[..., :2], 1).prod(-1)
    order = np.argsort(-areas, kind='stable')
    second = areas[order[1]] if len(areas) > 1 else 0.0
    shapes = found.face_blendshapes
    self.blendshape_names = [shape.category_name for shape in shapes[0]]
    return [
      Face(
        landmarks=points[i],
        blendshapes=np.array([x.score for x in shapes[i]], np.float32),
        pose_matrix=np.array(
          found.facial_transformation_matrixes[i], np.float32
        ),
        count=len(points),
        second=float(np.sqrt(second / areas[i])),
      )
      for i in order
    ]

  def close(self) -> None:
    self._net.close()


def _installed() -> bool:
  return importlib.util.find_spec('mediapipe') is not None


def _cached() -> Path:
  return Path.home() / '.cache' / 'takin_jax' / 'face_landmarker.task'


def _download(target: Path) -> None:
  """Downloads the model, and keeps it if its checksum is right."""
  remedy = f'fetch the file by other means and set {MODEL_ENV} to its path.'
  try:
    with urllib.request.urlopen(_MODEL_URL, timeout=60) as response:
      data = response.read()
  except OSError as e:
    raise MediaError(f'{_MODEL_URL} cannot be downloaded: {remedy}') from e
  if hashlib.sha256(data).hexdigest() != _MODEL_SHA256:
    raise MediaError(f'{_MODEL_URL} has another checksum: {remedy}')
  target.parent.mkdir(parents=True, exist_ok=True)
  part = target.with_suffix(f'.{os.getpid()}.part')
  part.write_bytes(data)
  part.replace(target)
