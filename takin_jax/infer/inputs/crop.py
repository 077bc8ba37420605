"""Which part of a picture is animated.

In: a portrait or a driving video of any size. Out: the square that the model
sees, in pixels of the picture.
"""

from collections.abc import Iterator, Sequence
import itertools
import logging

import numpy as np

from takin_jax.data.faces import CropBox, find_crop, find_faces
from takin_jax.data.media import MediaError
from takin_jax.errors import InputError
from takin_jax.face import FRAME_RATE_HZ

# Driving video: frames looked at for the face, one every so many.
_LOOKS, _LOOK_EVERY = 8, 12
# A crop that leaves the picture is moved back by up to this much of its side;
# what is still outside repeats the picture's edge.
_MOST_MOVED = 0.12

_log = logging.getLogger(__name__)

# 'auto', 'none' or (x, y, size), as `find_crop` takes it.
Mode = str | tuple[float, float, float]


def parse_crop(crop: str | Sequence[float], argument: str = 'crop') -> Mode:
  """What a caller gave, for `find_crop`.

  Args:
    crop: 'auto', 'none', 'x,y,size' or (x, y, size).
    argument: where it was given, for messages.

  Raises:
    InputError: for anything else.
  """
  if isinstance(crop, str) and crop in ('auto', 'none'):
    return crop
  parts = crop.split(',') if isinstance(crop, str) else crop
  try:
    x, y, size = (float(part) for part in parts)
  except (TypeError, ValueError):
    x = y = size = float('nan')
  if not np.isfinite([x, y, size]).all():
    raise InputError(
      f'{crop} is none of auto, none and x,y,size in pixels.', argument
    )
  return x, y, size


def portrait_crop(image: np.ndarray, mode: Mode, name: str) -> CropBox:
  """The part of a portrait that is animated.

  Args:
    image: [H, W, 3] uint8.
    mode: as `parse_crop` gives it.
    name: of the picture, for messages.

  Raises:
    InputError: there is no face, or nothing at the given place.
  """
  try:
    found = _found_crops(image, mode)
  except MediaError as error:
    raise InputError(f'{name}: {error}', 'crop') from None
  if len(found) > 1:
    _log.warning(
      '%s shows %d faces: the largest is animated.', name, len(found)
    )
  return found[0]


def driving_crop(
  frames: Iterator[np.ndarray], mode: Mode, name: str
) -> CropBox:
  """The part of a driving video that is followed: one constant square.

  Args:
    frames: [H, W, 3] uint8 each, at 25 Hz.
    mode: as for a portrait.
    name: of the video, for messages.

  Raises:
    InputError: there is no face, or nothing at the given place.
  """
  stop = _LOOKS * _LOOK_EVERY
  crops, problem = [], None
  for image in itertools.islice(frames, 0, stop, _LOOK_EVERY):
    try:
      crops.append(_found_crops(image, mode)[0])
    except MediaError as error:
      problem = error
    if mode != 'auto':
      break
  if not crops:
    raise InputError(
      f'{name}, first {stop / FRAME_RATE_HZ:.0f} s: {problem}', 'driving_crop'
    )
  return _typical(crops)


def _found_crops(image: np.ndarray, mode: Mode) -> list[CropBox]:
  """The given square, or those of all faces, moved towards the picture."""
  found = find_faces(image) if mode == 'auto' else []
  if not found:
    return [find_crop(image, mode)]
  height, width = image.shape[:2]
  return [
    crop._replace(
      x=_moved_inside(crop.x, crop.size, width),
      y=_moved_inside(crop.y, crop.size, height),
    )
    for crop in found
  ]


def _moved_inside(start: float, size: float, length: int) -> int:
  """Where a span of a line of pixels begins when it is moved inside."""
  if size > length:
    return round(start)
  most = _MOST_MOVED * size
  moved = min(max(start, 0), length - size)
  return round(start + min(max(moved - start, -most), most))


def _typical(crops: list[CropBox]) -> CropBox:
  """Median place and size of a face over several frames."""
  x, y, size = np.array(crops, float).T
  middle = np.median(size)
  return CropBox(
    round(np.median(x + size / 2) - middle / 2),
    round(np.median(y + size / 2) - middle / 2),
    round(middle),
  )
