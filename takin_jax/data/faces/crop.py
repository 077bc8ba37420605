"""The square crop that every model sees, from a box around the landmarks."""

from typing import NamedTuple

import cv2
import numpy as np

# A square of 1.7 times the landmark box, raised by 6 % of it: forehead and
# chin have room, and footage that is already cropped to a head still fits.
CROP_SCALE = 1.7
CROP_RAISE = 0.06
# A crop that leaves the picture is moved back by up to this much of its side;
# what is still outside repeats the picture's edge.
MOST_MOVED = 0.12


class CropBox(NamedTuple):
  """A square in picture pixels; it may leave the picture.

  Attributes:
    x: left edge.
    y: upper edge.
    size: side.
  """

  x: float
  y: float
  size: float


def crop_around(box: np.ndarray) -> CropBox:
  """The crop for a landmark box [4] (x0, y0, x1, y1), in whole pixels."""
  x0, y0, x1, y1 = box
  face = max(x1 - x0, y1 - y0)
  size = max(round(CROP_SCALE * face), 1)
  x = (x0 + x1 - size) / 2
  y = (y0 + y1 - size) / 2 - CROP_RAISE * face
  return CropBox(round(x), round(y), size)


def clamp_crop(crop: CropBox, width: int, height: int) -> CropBox:
  """Shrinks and moves a crop into the picture, in whole pixels."""
  size = int(min(crop.size, width, height))
  x = round(min(max(crop.x, 0), width - size))
  y = round(min(max(crop.y, 0), height - size))
  return CropBox(x, y, size)


def moved_inside(crop: CropBox, width: int, height: int) -> CropBox:
  """Moves a crop that leaves the picture back, by at most `MOST_MOVED`."""

  def moved(start: float, length: int) -> int:
    if crop.size > length:
      return round(start)
    most = MOST_MOVED * crop.size
    inside = min(max(start, 0), length - crop.size)
    return round(start + min(max(inside - start, -most), most))

  return crop._replace(x=moved(crop.x, width), y=moved(crop.y, height))


def crop_image(image: np.ndarray, crop: CropBox, size: int) -> np.ndarray:
  """Cuts a square out and resizes it.

  Args:
    image: [H, W, 3] uint8.
    crop: where; outside the picture its edge is repeated.
    size: side of the result in pixels.

  Returns:
    [size, size, 3] uint8.
  """
  height, width = image.shape[:2]
  x, y, side = round(crop.x), round(crop.y), max(int(crop.size), 1)
  inside = image[
    np.clip(y, 0, height - 1) : np.clip(y + side, 1, height),
    np.clip(x, 0, width - 1) : np.clip(x + side, 1, width),
  ]
  if inside.shape[:2] != (side, side):
    rows = np.clip(np.arange(y, y + side), 0, height - 1)
    columns = np.clip(np.arange(x, x + side), 0, width - 1)
    inside = image[rows[:, None], columns]
  method = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
  return cv2.resize(inside, (size, size), interpolation=method)
