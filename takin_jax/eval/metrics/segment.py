"""A person cut out of a portrait, to be put before other backgrounds.

In: a square crop and MediaPipe's landmarks. Out: a soft mask in [0, 1].
Source: GrabCut (Rother et al. 2004), seeded by the face's oval, a guess of hair
and shoulders, and the picture's upper corners.
"""

import cv2
import numpy as np

# The outline of the face in MediaPipe's mesh, in order.
OVAL = (
  *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365),
  *(379, 378, 400, 377, 152, 148, 176, 149, 150, 136, 172, 58, 132, 93),
  *(234, 127, 162, 21, 54, 103, 67, 109),
)
_ROUNDS = 5  # of GrabCut
_SOFT = 1.2 / 256  # sigma of the edge, of the picture's side
_SURE = 0.9  # of the oval: face for certain
# Ellipses: lifted above the oval's middle, half axes, in those of the oval.
_CROWN = (0.3, (0.85, 1.0))  # hair or skull for certain
_HAIR = (0.2, (1.3, 1.35))  # likely
_AROUND = (0.15, (1.8, 1.75))  # possible


def person_mask(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
  """Cuts out head and shoulders.

  Args:
    image: [H, H, 3] uint8 RGB.
    landmarks: [478, 3] in units of the picture.

  Returns:
    [H, H] float32 in [0, 1]: 1 is the person.
  """
  size = len(image)
  seeds = _seeds(landmarks[list(OVAL), :2] * size, size)
  models = np.zeros((2, 1, 65))
  cv2.setRNGSeed(0)  # GrabCut's clusters begin at random
  cv2.grabCut(
    image[..., ::-1].copy(),
    seeds,
    None,
    *models,
    _ROUNDS,
    cv2.GC_INIT_WITH_MASK,
  )
  person = np.isin(seeds, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
  person = _whole(person, size)
  return cv2.GaussianBlur(person.astype(np.float32), (0, 0), _SOFT * size)


def _seeds(oval: np.ndarray, size: int) -> np.ndarray:
  """[size, size] GrabCut's labels from the outline [N, 2] in pixels."""
  low, high = oval.min(0), oval.max(0)
  middle, half = (low + high) / 2, (high - low) / 2
  y, x = np.mgrid[:size, :size]

  def ellipse(lift: float, axes: tuple[float, float]) -> np.ndarray:
    u, v = (x - middle[0]) / half[0], (y - middle[1]) / half[1] + lift
    return np.square(u / axes[0]) + np.square(v / axes[1]) < 1

  below = np.maximum(y - high[1], 0)  # the chin: shoulders widen from there
  aside = abs(x - middle[0])
  seeds = np.full((size, size), cv2.GC_BGD, np.uint8)
  seeds[ellipse(*_AROUND) | (y > middle[1])] = cv2.GC_PR_BGD
  seeds[(aside > 2 * half[0]) & (below == 0)] = cv2.GC_BGD
  seeds[ellipse(*_HAIR) | (below > 0) & (aside < half[0] + below)] = (
    cv2.GC_PR_FGD
  )
  seeds[ellipse(*_CROWN) | (below > 0) & (aside < half[0] / 2)] = cv2.GC_FGD
  centre = oval.mean(0)
  sure = (centre + _SURE * (oval - centre)).astype(np.int32)
  cv2.fillConvexPoly(seeds, sure, cv2.GC_FGD)
  return seeds


def _whole(person: np.ndarray, size: int) -> np.ndarray:
  """The largest part, without holes and thin threads."""
  disc = cv2.getStructuringElement(
    cv2.MORPH_ELLIPSE, (2 * round(size / 128) + 1,) * 2
  )
  person = cv2.morphologyEx(person, cv2.MORPH_OPEN, disc)
  count, labels, stats, _ = cv2.connectedComponentsWithStats(person)
  if count > 1:
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    person = (labels == largest).astype(np.uint8)
  outlines, _ = cv2.findContours(
    person, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
  )
  cv2.drawContours(person, outlines, -1, 1, cv2.FILLED)
  return person
