"""Where to crop a portrait."""

from collections.abc import Sequence

import cv2
import numpy as np

from takin_jax.data.faces.cascade import detect_boxes
from takin_jax.data.faces.crop import CropBox, crop_around
from takin_jax.data.faces.landmarks import (
  landmark_box,
  landmarker,
  local_model,
)
from takin_jax.data.media import MediaError

_DETECT_PX = 640


def find_crop(
  image: np.ndarray, mode: str | Sequence[float] = 'auto'
) -> CropBox:
  """The square of a picture to animate.

  Args:
    image: [H, W, 3] uint8 RGB.
    mode: 'auto' looks for the largest face (MediaPipe where it and its model
      are at hand, else OpenCV's cascade); 'none' takes the largest central
      square; (x, y, size) in pixels is taken as it is.

  Raises:
    MediaError: no face, or a square that is not in the picture.
  """
  height, width = image.shape[:2]
  if mode == 'auto':
    found = find_faces(image)
    if found:
      return found[0]
    raise MediaError(
      'The picture shows no face that can be found: give the square around the '
      'head as x,y,size, or take a frontal, larger face.'
    )
  if mode == 'none':
    size = min(width, height)
    return CropBox((width - size) // 2, (height - size) // 2, size)
  if isinstance(mode, str) or len(mode) != 3:
    raise MediaError(f'crop {mode!r} is not auto, none or x,y,size.')
  x, y, size = (round(v) for v in mode)
  overlap = x < width and y < height and x + size > 0 and y + size > 0
  if size < 1 or not overlap:
    raise MediaError(
      f'The crop {x},{y},{size} is not in the picture: it is {width} pixels '
      f'wide and {height} high.'
    )
  return CropBox(x, y, size)


def find_faces(image: np.ndarray) -> list[CropBox]:
  """The squares around all faces of a picture, the largest face first.

  Args:
    image: [H, W, 3] uint8 RGB.
  """
  model = local_model()
  if model is not None:
    scale = min(1.0, _DETECT_PX / max(image.shape[:2]))
    small = cv2.resize(
      image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
    )
    with landmarker(model) as detector:
      faces = detector.detect_all(small)
    if faces:
      height, width = image.shape[:2]
      return [crop_around(landmark_box(f, width, height)) for f in faces]
  return [crop_around(box) for box in detect_boxes(image)]
