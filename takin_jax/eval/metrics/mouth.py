"""The inside of the mouth: how sharp it is, and enlarged pictures of it.

In: pictures uint8 [N, H, H, 3] and MediaPipe's landmarks [N, 478, 3] in units
of the picture. Out: figures and crops.
"""

from collections.abc import Sequence

import cv2
import numpy as np

# The outline of the inner lips in MediaPipe's mesh, in order.
INNER_LIPS = (
  *(78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14),
  *(87, 178, 88, 95),
)
LIPS = (61, 291, 0, 17)
EYES = (33, 133, 263, 362)
_LEAST = 60 / 256**2  # of the picture: less is a shut mouth


def inside_sharpness(images: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
  """Variance of the luma's Laplacian between the inner lips.

  Args:
    images: real frames, or frames made to look like them.
    landmarks: of the real frames.

  Returns:
    [N]; NaN where the mouth is shut or nothing was found.
  """
  out = np.full(len(images), np.nan)
  for i in np.flatnonzero(np.isfinite(landmarks[:, 0, 0])):
    grey = cv2.cvtColor(images[i], cv2.COLOR_RGB2GRAY).astype(np.float32)
    inside = np.zeros(grey.shape, np.uint8)
    outline = landmarks[i, list(INNER_LIPS), :2] * len(grey)
    cv2.fillPoly(inside, [outline.astype(np.int32)], 1)
    if cv2.contourArea(outline.astype(np.float32)) > _LEAST * grey.size:
      out[i] = cv2.Laplacian(grey, cv2.CV_32F)[inside > 0].var()
  return out


def closeup(
  image: np.ndarray, landmarks: np.ndarray, points: Sequence[int], side: float
) -> np.ndarray:
  """A square around some landmarks, three times as large.

  Args:
    image: [H, H, 3] uint8.
    landmarks: [478, 3]; NaN: the middle of the picture.
    points: their mean is the middle of the square.
    side: of the picture's side.
  """
  size = len(image)
  px = round(side * size)
  centre = landmarks[list(points), :2].mean(0)
  centre = np.where(np.isfinite(centre), centre, 0.5) * size
  u, v = np.clip(centre - px / 2, 0, size - px).astype(int)
  crop = image[v : v + px, u : u + px]
  return cv2.resize(crop, (3 * px,) * 2, interpolation=cv2.INTER_CUBIC)
