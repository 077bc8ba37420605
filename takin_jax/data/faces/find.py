"""The faces of a picture, and which square of it to animate.

In: RGB uint8 pictures. Out: a CropBox for every face that is upright. MediaPipe
looks where it and its model are at hand, OpenCV's cascades otherwise.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from takin_jax.data.faces import cascade
from takin_jax.data.faces.crop import CropBox, crop_around
from takin_jax.data.faces.landmarks import (
  Face,
  landmark_box,
  landmarker,
  local_model,
)
from takin_jax.data.faces.tiles import look_in_tiles, with_smaller
from takin_jax.data.media import MediaError

_DETECT_PX = 640
_MIN_PX = 16  # of the shorter side of a picture with a face
# A head that leans more than this belongs to a picture that is turned.
_MAX_ROLL_DEG = 50.0
_EYES = [33, 263]  # outer corners, right and left
_TURNS = {
  1: 'by a quarter to the left',
  3: 'by a quarter to the right',
  2: 'upside down',
}
# Times the picture: a larger square is a typing error, and fills the memory.
_MAX_CROP = 4.0


def find_faces(image: np.ndarray) -> list[CropBox]:
  """The squares around the upright faces of a picture.

  Args:
    image: [H, W, 3] uint8 RGB, of any size: if the whole picture seems to show
      no face, small ones are looked for in its parts.

  Returns:
    The largest first; empty if there is none, or only turned ones.
  """
  if min(image.shape[:2]) < _MIN_PX:
    return []
  boxes = _landmark_boxes(image)
  if not len(boxes):  # profiles and paintings are better known to cascades
    boxes = cascade.detect_boxes(image)
  if not len(boxes):
    boxes = look_in_tiles(image, cascade.detect_small, cascade.TILE_PX)
  if len(boxes) and cascade.quarter_turns(image):
    return []
  return [crop_around(box) for box in boxes]


def find_crop(
  image: np.ndarray, mode: str | Sequence[float] = 'auto'
) -> CropBox:
  """The square of a picture to animate.

  Args:
    image: [H, W, 3] uint8 RGB.
    mode: 'auto' looks for the largest face; 'none' takes the largest central
      square; (x, y, size) in pixels is taken as it is.

  Raises:
    MediaError: no face, or a square that is not in the picture.
  """
  height, width = image.shape[:2]
  if mode == 'auto':
    crops = find_faces(image)
    if not crops:
      raise MediaError(_no_face(image))
    return crops[0]
  if mode == 'none':
    size = min(width, height)
    return CropBox((width - size) // 2, (height - size) // 2, size)
  if isinstance(mode, str) or len(mode) != 3:
    raise MediaError(f'crop {mode!r} is not auto, none or x,y,size.')
  x, y, size = mode
  overlap = x < width and y < height and x + size > 0 and y + size > 0
  if not (round(size) >= 1 and overlap):
    raise MediaError(
      f'The crop {x:g},{y:g},{size:g} is not in the picture: it is {width} '
      f'pixels wide and {height} high.'
    )
  if size > _MAX_CROP * max(width, height):
    raise MediaError(
      f'The crop {x:g},{y:g},{size:g} is more than {_MAX_CROP:g} times as '
      f'large as the picture, which is {width} pixels wide and {height} high.'
    )
  return CropBox(round(x), round(y), round(size))


def _landmark_boxes(image: np.ndarray) -> np.ndarray:
  """[N, 4] boxes of MediaPipe's upright faces, the largest first."""
  model = local_model()
  if model is None:
    return np.zeros((0, 4), np.float32)
  with landmarker(model) as detector:

    def detect(part: np.ndarray) -> np.ndarray:
      height, width = part.shape[:2]
      found = detector.detect_all(_shrunk(part))
      boxes = [
        landmark_box(face, width, height)
        for face in found
        if abs(_roll_deg(face, width, height)) < _MAX_ROLL_DEG
      ]
      return np.array(boxes, np.float32).reshape(-1, 4)

    boxes = detect(image)
    if not len(boxes):
      return look_in_tiles(image, detect, _DETECT_PX)
    return with_smaller(boxes, image, detect, _DETECT_PX)


def _shrunk(image: np.ndarray) -> np.ndarray:
  """At most 640 pixels long."""
  scale = _DETECT_PX / max(image.shape[:2])
  if scale >= 1:
    return image
  height, width = (max(round(scale * n), 1) for n in image.shape[:2])
  return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _roll_deg(face: Face, width: int, height: int) -> float:
  """How far the line through the eyes leans."""
  right, left = face.landmarks[_EYES, :2] * (width, height)
  across, down = left - right
  return float(np.degrees(np.arctan2(down, across)))


def _no_face(image: np.ndarray) -> str:
  """Why a picture cannot be used: a turn of it may show a face."""
  thin = min(image.shape[:2]) < _MIN_PX
  turns = 0 if thin else cascade.quarter_turns(image) or _landmark_turns(image)
  if turns:
    return (
      f'The picture shows a face when it is turned {_TURNS[turns]}: turn it so '
      'and save it, or give the square around the head as x,y,size.'
    )
  return (
    'The picture shows no face that can be found: give the square around the '
    'head as x,y,size, or take a frontal, larger face.'
  )


def _landmark_turns(image: np.ndarray) -> int:
  """Quarter turns to the left after which MediaPipe sees an upright face."""
  for turns in _TURNS:
    if len(_landmark_boxes(np.rot90(image, turns))):
      return turns
  return 0
