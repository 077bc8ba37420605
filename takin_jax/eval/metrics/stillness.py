"""Pixels that stand still in a driving clip must stand still in the output.

In: frames of one clip, uint8 [T, H, W, 3], the first of them the source.
Out: shares of pixels.
"""

import cv2
import numpy as np

_STILL = 8  # levels: less is the noise of a clip
MOVED = 16  # levels: more is seen
_NOISE = 0.8  # px, sigma of the blur before clips are compared


def still_pixels(driving: np.ndarray) -> np.ndarray:
  """[H, W] bool: where no frame differs from the first by over 8 levels."""
  frames = [cv2.GaussianBlur(frame, (0, 0), _NOISE) for frame in driving]
  return np.all([_change(f, frames[0]) <= _STILL for f in frames], axis=0)


def moved_share(made: np.ndarray, driving: np.ndarray) -> np.ndarray:
  """Share of the still pixels that differ from the source by over 16 levels.

  Args:
    made: the output of a clip that drives its own first frame.
    driving: that clip.

  Returns:
    [T]; NaN if nothing is still.
  """
  still = still_pixels(driving)
  if not still.any():
    return np.full(len(made), np.nan)
  moved = [_change(frame, driving[0])[still] > MOVED for frame in made]
  return np.mean(moved, axis=1)


def _change(a: np.ndarray, b: np.ndarray) -> np.ndarray:
  """[H, W] largest difference of the colours."""
  return cv2.absdiff(a, b).max(-1)
