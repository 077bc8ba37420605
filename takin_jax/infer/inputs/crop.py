"""Which part of a picture is animated.

In: a portrait or a driving video of any size. Out: the square that the model
sees, in pixels of the picture.
"""

from collections.abc import Iterator, Sequence
import logging

import numpy as np

from takin_jax.data.faces import (
  CropBox,
  Track,
  find_crop,
  find_faces,
  moved_inside,
  track_face,
)
from takin_jax.data.media import MediaError
from takin_jax.errors import InputError

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


def portrait_crop(
  image: np.ndarray, mode: Mode, name: str, argument: str = 'crop'
) -> CropBox:
  """The part of a portrait that is animated.

  Args:
    image: [H, W, 3] uint8.
    mode: as `parse_crop` gives it.
    name: of the picture, for messages.
    argument: where it was given, likewise.

  Raises:
    InputError: there is no face, or nothing at the given place.
  """
  try:
    found = _found_crops(image, mode)
  except MediaError as error:
    raise InputError(f'{name}: {error}', argument) from None
  if len(found) > 1:
    _log.warning(
      '%s shows %d faces: the largest is animated.', name, len(found)
    )
  return found[0]


def driving_track(
  frames: Iterator[np.ndarray], mode: Mode, name: str
) -> Track | CropBox:
  """The part of a driving video that is followed.

  Args:
    frames: [H, W, 3] uint8 each, at 25 Hz.
    mode: as for a portrait.
    name: of the video, for messages.

  Returns:
    A face through the video, or the one square that was given.

  Raises:
    InputError: there is no face, or nothing at the given place.
  """
  if mode != 'auto':
    image = next(frames)
    try:
      return find_crop(image, mode)
    except MediaError as error:
      raise InputError(f'{name}: {error}', 'driving_crop') from None
  track = track_face(frames)
  if track is None:
    raise InputError(
      f'{name}: no frame shows a face that can be found: give the square '
      'around the head as x,y,size, or take a video with a larger one.',
      'driving_crop',
    )
  missing = int((~track.found).sum())
  if missing:
    _log.warning(
      '%s: %d of %d frames show no face: the last expression is held.',
      name,
      missing,
      len(track.found),
    )
  return track


def _found_crops(image: np.ndarray, mode: Mode) -> list[CropBox]:
  """The given square, or those of all faces, moved towards the picture."""
  found = find_faces(image) if mode == 'auto' else []
  if not found:
    return [find_crop(image, mode)]
  height, width = image.shape[:2]
  return [moved_inside(crop, width, height) for crop in found]
