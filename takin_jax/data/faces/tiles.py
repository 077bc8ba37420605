"""A second look at a large picture: part by part, finer and finer.

A detector shrinks what it gets, so that a face of 100 pixels in a picture of
8000 is lost to it.
"""

from collections.abc import Callable, Iterator

import cv2
import numpy as np

_OVERLAP = 0.25  # of a part; larger faces were seen in the coarser parts


def look_in_tiles(
  image: np.ndarray, detect: Callable[[np.ndarray], np.ndarray], side_px: int
) -> np.ndarray:
  """Finds faces in parts of a picture.

  Args:
    image: [H, W, 3] uint8 RGB.
    detect: picture -> [N, 4] boxes.
    side_px: side of the parts, at scales that double up to the full one; the
      whole picture at this size was looked at before.

  Returns:
    [N, 4] boxes of the coarsest scale that shows a face, the largest first.
  """
  longest = max(image.shape[:2])
  view_px = side_px
  while view_px < longest:
    view_px = min(2 * view_px, longest)
    boxes = _look(image, detect, side_px, view_px)
    if len(boxes):
      return boxes
  return np.zeros((0, 4), np.float32)


def with_smaller(
  boxes: np.ndarray,
  image: np.ndarray,
  detect: Callable[[np.ndarray], np.ndarray],
  side_px: int,
) -> np.ndarray:
  """Adds the faces that only a view of twice the size shows.

  Args:
    boxes: [N, 4] seen in the whole picture; they stay as they are.
    image: as for `look_in_tiles`, as are the others.
    detect: see there.
    side_px: see there.

  Returns:
    [M, 4] boxes, the largest first.
  """
  longest = max(image.shape[:2])
  if longest <= side_px:
    return boxes
  more = _look(image, detect, side_px, min(2 * side_px, longest))
  new = [box for box in more if not _overlaps(box, boxes)]
  every = np.concatenate([boxes, np.reshape(new, (-1, 4))]).astype(np.float32)
  sides = (every[:, 2:] - every[:, :2]).max(-1)
  return every[np.argsort(-sides, kind='stable')]


def _look(
  image: np.ndarray,
  detect: Callable[[np.ndarray], np.ndarray],
  side_px: int,
  view_px: int,
) -> np.ndarray:
  """[N, 4] boxes in the parts of the picture at one scale."""
  scale = view_px / max(image.shape[:2])
  view = cv2.resize(
    image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
  )
  boxes = [
    box + np.array([x, y, x, y])
    for y in _starts(view.shape[0], side_px)
    for x in _starts(view.shape[1], side_px)
    for box in detect(view[y : y + side_px, x : x + side_px])
  ]
  return distinct(np.array(boxes, np.float32).reshape(-1, 4)) / scale


def _overlaps(box: np.ndarray, boxes: np.ndarray) -> bool:
  """Whether it shares any place with one of them."""
  apart = (box[:2] >= boxes[:, 2:]) | (box[2:] <= boxes[:, :2])
  return not apart.any(-1).all()


def distinct(boxes: np.ndarray) -> np.ndarray:
  """[N, 4] -> [M, 4] without those whose middle is in a larger one."""
  side = (boxes[:, 2:] - boxes[:, :2]).max(-1)
  middle = (boxes[:, :2] + boxes[:, 2:]) / 2
  kept: list[int] = []
  for i in np.argsort(-side, kind='stable'):
    apart = np.abs(middle[kept] - middle[i]).max(-1) >= side[kept] / 2
    if apart.all():
      kept.append(i)
  return boxes[kept]


def _starts(length: int, side: int) -> Iterator[int]:
  """Where parts of a line begin that cover it."""
  step = int(side * (1 - _OVERLAP))
  start = 0
  while start + side < length:
    yield start
    start += step
  yield max(length - side, 0)
