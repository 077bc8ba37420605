"""Finding faces: crop boxes, landmarks, crops.

In: RGB uint8 pictures. Out: the square crop that all models see, and (with
MediaPipe, extra `data`) landmarks, blendshapes and head pose.
Source of the landmarks: MediaPipe FaceLandmarker, 478 points, Apache-2.0.
"""

from collections.abc import Iterator
import contextlib
import hashlib
import os
from pathlib import Path
from typing import NamedTuple
import urllib.request

import cv2
import numpy as np

from takin_jax.data.media import MediaError

# The training crop: a square of 1.7 times the landmark box, raised by 6 % of
# it, so that the forehead and the chin have room.
CROP_SCALE = 1.7
CROP_RAISE = 0.06

LANDMARKER_ENV = 'TAKIN_FACE_LANDMARKER'
_LANDMARKER_URL = (
  'https://storage.googleapis.com/mediapipe-models/face_landmarker/'
  'face_landmarker/float16/1/face_landmarker.task'
)
_LANDMARKER_SHA256 = (
  '64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff'
)
_MAX_FACES = 4


class CropBox(NamedTuple):
  """A square in picture pixels; it may leave the picture."""

  x: float
  y: float
  size: float


class Face(NamedTuple):
  """What the landmarker sees in one picture.

  Attributes:
    landmarks: [478, 3] float32; x and y in [0, 1] of the picture's width and
      height, z in the unit of x.
    blendshapes: [52] float32.
    pose_matrix: [4, 4] float32, MediaPipe's facial transformation matrix.
    count: number of faces in the picture; this is the largest.
  """

  landmarks: np.ndarray
  blendshapes: np.ndarray
  pose_matrix: np.ndarray
  count: int


def crop_around(box: np.ndarray) -> CropBox:
  """Landmark box (x0, y0, x1, y1) -> the crop that the models are used to."""
  x0, y0, x1, y1 = box
  face = max(x1 - x0, y1 - y0)
  size = CROP_SCALE * face
  centre_y = (y0 + y1) / 2 - CROP_RAISE * face
  return CropBox((x0 + x1) / 2 - size / 2, centre_y - size / 2, size)


def clamp_crop(crop: CropBox, width: int, height: int) -> CropBox:
  """Shrinks and moves a crop into the picture, in whole pixels."""
  size = int(min(crop.size, width, height))
  x = round(min(max(crop.x, 0), width - size))
  y = round(min(max(crop.y, 0), height - size))
  return CropBox(x, y, size)


def landmark_box(landmarks: np.ndarray, width: int, height: int) -> np.ndarray:
  """[478, 3] landmarks -> [4] x0, y0, x1, y1 in pixels."""
  points = landmarks[:, :2] * np.array([width, height])
  return np.concatenate([points.min(0), points.max(0)])


def crop_image(image: np.ndarray, crop: CropBox, size: int) -> np.ndarray:
  """Cuts a square out and resizes it.

  Args:
    image: [H, W, 3] uint8.
    crop: where; what lies outside the picture repeats its edge.
    size: side of the result in pixels.

  Returns:
    [size, size, 3] uint8.
  """
  height, width = image.shape[:2]
  side = max(int(crop.size), 1)
  x, y = round(crop.x), round(crop.y)
  left, top = max(-x, 0), max(-y, 0)
  right, bottom = max(x + side - width, 0), max(y + side - height, 0)
  if max(left, top, right, bottom):
    image = cv2.copyMakeBorder(
      image, top, bottom, left, right, cv2.BORDER_REPLICATE
    )
  patch = image[y + top : y + top + side, x + left : x + left + side]
  method = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
  return cv2.resize(patch, (size, size), interpolation=method)


class Landmarker:
  """MediaPipe's FaceLandmarker; made by `landmarker`."""

  def __init__(self, mediapipe, model: Path, tracking: bool):
    vision = mediapipe.tasks.vision
    self._image = lambda array: mediapipe.Image(
      image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(array)
    )
    self._tracking = tracking
    mode = vision.RunningMode
    self._net = vision.FaceLandmarker.create_from_options(
      vision.FaceLandmarkerOptions(
        base_options=mediapipe.tasks.BaseOptions(model_asset_path=str(model)),
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
        num_faces=1 if tracking else _MAX_FACES,
        running_mode=mode.VIDEO if tracking else mode.IMAGE,
      )
    )
    self.blendshape_names: list[str] = []

  def detect(self, image: np.ndarray, time_ms: int = 0) -> Face | None:
    """Finds the largest face of a picture.

    Args:
      image: [H, W, 3] uint8 RGB.
      time_ms: rising from call to call; only used when tracking.

    Returns:
      The face, or None.
    """
    if self._tracking:
      found = self._net.detect_for_video(self._image(image), time_ms)
    else:
      found = self._net.detect(self._image(image))
    if not found.face_landmarks:
      return None
    points = np.array(
      [[(p.x, p.y, p.z) for p in face] for face in found.face_landmarks],
      np.float32,
    )
    i = int(np.argmax(np.ptp(points[..., :2], 1).prod(-1)))
    shapes = found.face_blendshapes[i]
    self.blendshape_names = [s.category_name for s in shapes]
    return Face(
      points[i],
      np.array([s.score for s in shapes], np.float32),
      np.array(found.facial_transformation_matrixes[i], np.float32),
      len(points),
    )

  def close(self) -> None:
    self._net.close()


@contextlib.contextmanager
def landmarker(
  path: str | os.PathLike | None = None, tracking: bool = False
) -> Iterator[Landmarker]:
  """Opens MediaPipe's FaceLandmarker.

  Args:
    path: the model file; by default $TAKIN_FACE_LANDMARKER, the user's cache,
      or a download from the official address into the cache.
    tracking: frames of one video follow each other (one face, faster).

  Raises:
    MediaError: MediaPipe or its model is missing.
  """
  os.environ.setdefault('GLOG_minloglevel', '3')
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  try:
    import mediapipe
  except ImportError as e:
    raise MediaError(
      'Landmarks need MediaPipe, which is not installed: '
      'pip install "takin_jax[data]".'
    ) from e
  net = Landmarker(mediapipe, _landmarker_model(path), tracking)
  try:
    yield net
  finally:
    net.close()


def _landmarker_model(path: str | os.PathLike | None) -> Path:
  """The model file: given, in the environment, cached, or downloaded."""
  given = path or os.environ.get(LANDMARKER_ENV)
  if given:
    if not Path(given).is_file():
      raise MediaError(
        f'{given} is not a file: give the path of face_landmarker.task.'
      )
    return Path(given)
  cached = Path.home() / '.cache' / 'takin_jax' / 'face_landmarker.task'
  if not cached.is_file():
    _download_landmarker(cached)
  return cached


def _download_landmarker(target: Path) -> None:
  """Downloads the model, and keeps it if its checksum is right."""
  try:
    with urllib.request.urlopen(_LANDMARKER_URL, timeout=60) as response:
      data = response.read()
  except OSError as e:
    raise MediaError(
      f'{_LANDMARKER_URL} cannot be downloaded: fetch it by other means and '
      f'set {LANDMARKER_ENV} to its path.'
    ) from e
  if hashlib.sha256(data).hexdigest() != _LANDMARKER_SHA256:
    raise MediaError(
      f'{_LANDMARKER_URL} has a wrong checksum: fetch the file by other means '
      f'and set {LANDMARKER_ENV} to its path.'
    )
  target.parent.mkdir(parents=True, exist_ok=True)
  part = target.with_suffix(f'.{os.getpid()}.part')
  part.write_bytes(data)
  part.replace(target)
