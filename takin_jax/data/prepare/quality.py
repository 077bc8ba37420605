"""Which shots are good enough to learn from.

In: looks at some frames of a shot. Out: the shot's figures, the reason to
reject it, if any, and its crop.

The limits were measured on 93 clips that are worth keeping (15 minutes, 63
people): their extremes stand beside each limit.
"""

import dataclasses

import cv2
import numpy as np

from takin_jax.data import faces
from takin_jax.data.faces import geometry

LOOK = np.dtype(
  [
    ('frame', 'i4'),
    ('faces', 'i4'),
    ('second', 'f4'),  # side of the second face over that of the largest
    ('box', 'f4', 4),  # x0, y0, x1, y1 of the largest, in pixels
    ('sharpness', 'f4'),
    ('pose_deg', 'f4', 3),  # pitch, yaw, roll
  ]
)

_DETECT_PX = 512  # longest side of the picture that the landmarker sees
_FACE_PX = 128  # side of the face whose sharpness is measured
_SECOND = 0.5  # a second face is prominent from this share of the first on
_MAX_SECOND = 0.2  # of the looks may show one; none of the 93 clips does
_TURNED = 90  # percentile of the angles that counts, so that a glance is none


@dataclasses.dataclass(frozen=True)
class Limits:
  """What a shot must have.

  Attributes:
    min_found: share of frames with a face; 1.0 measured.
    min_face_px: median side of the face in the video; at least 128 measured.
    min_sharpness: median of `sharpness`; at least 20 measured. Sharp video
      falls below the limit when its faces have 30 px, soft video at 60 to 95.
    max_yaw: degrees that 90 % of the frames do not exceed, to either side; at
      most 46 measured.
    max_pitch: likewise, up and down; at most 26 measured.
  """

  min_found: float = 0.8
  min_face_px: float = 96.0
  min_sharpness: float = 12.0
  max_yaw: float = 50.0
  max_pitch: float = 35.0


def look(
  frame: int, image: np.ndarray, detector: 'faces.Landmarker'
) -> np.ndarray:
  """Looks at one frame.

  Args:
    frame: its number.
    image: [H, W, 3] uint8 RGB.
    detector: an open landmarker for single pictures.

  Returns:
    A LOOK; without a face `faces` is 0 and the rest NaN.
  """
  height, width = image.shape[:2]
  scale = min(1.0, _DETECT_PX / max(height, width))
  small = cv2.resize(
    image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
  )
  face = detector.detect(small)
  if face is None:
    nothing = (np.nan,) * 4
    return np.array((frame, 0, 0, nothing, np.nan, nothing[:3]), LOOK)
  box = faces.landmark_box(face, width, height)
  pose = geometry.pose_deg(face.pose_matrix[None])[0]
  seen = (frame, face.count, face.second, box, sharpness(image, box), pose)
  return np.array(seen, LOOK)


def sharpness(image: np.ndarray, box: np.ndarray) -> float:
  """Variance of the Laplacian of a face, shrunk or enlarged to one size.

  Args:
    image: [H, W, 3] uint8 RGB.
    box: [4] x0, y0, x1, y1 in pixels.

  Source: Pech-Pacheco et al., ICPR 2000.
  """
  height, width = image.shape[:2]
  x0, x1 = (int(np.clip(x, 0, width)) for x in box[[0, 2]])
  y0, y1 = (int(np.clip(y, 0, height)) for y in box[[1, 3]])
  if x1 <= x0 or y1 <= y0:
    return 0.0
  gray = cv2.cvtColor(image[y0:y1, x0:x1], cv2.COLOR_RGB2GRAY)
  large = max(gray.shape) > _FACE_PX
  method = cv2.INTER_AREA if large else cv2.INTER_LINEAR
  gray = cv2.resize(gray, (_FACE_PX, _FACE_PX), interpolation=method)
  return float(cv2.Laplacian(gray, cv2.CV_64F).var())


def measure(looks: np.ndarray) -> dict[str, float]:
  """Figures of a shot, by the names of their columns in the manifest.

  Args:
    looks: [L] LOOK.
  """
  seen = looks[looks['faces'] > 0]
  figures = {
    'found': len(seen) / max(len(looks), 1),
    'second_face': np.mean(looks['second'] >= _SECOND) if len(looks) else 0.0,
  }
  if len(seen):
    sides = (seen['box'][:, 2:] - seen['box'][:, :2]).max(-1)
    turned = np.percentile(np.abs(seen['pose_deg']), _TURNED, axis=0)
    figures['face_px'] = np.median(sides)
    figures['sharpness'] = np.median(seen['sharpness'])
    figures['pitch_deg'], figures['yaw_deg'] = turned[:2]
  return {name: round(float(x), 2) for name, x in figures.items()}


def fault(figures: dict[str, float], limits: Limits) -> str | None:
  """The first reason to reject a shot, from its figures; None if it is good."""
  if figures['found'] < limits.min_found:
    return f'face in {figures["found"]:.0%} of the frames looked at'
  if figures['second_face'] > _MAX_SECOND:
    share = figures['second_face']
    return f'a second face in {share:.0%} of the frames looked at'
  for name, low, high, what in (
    ('face_px', limits.min_face_px, np.inf, 'face too small'),
    ('sharpness', limits.min_sharpness, np.inf, 'blurred'),
    ('yaw_deg', 0, limits.max_yaw, 'turned aside'),
    ('pitch_deg', 0, limits.max_pitch, 'turned up or down'),
  ):
    value = figures[name]
    if value < low:
      return f'{what}: {name} {value:.1f}, at least {low:g} wanted'
    if value > high:
      return f'{what}: {name} {value:.1f}, at most {high:g} wanted'
  return None


def crop_of(looks: np.ndarray, width: int, height: int) -> 'faces.CropBox':
  """One square for a whole shot, inside the picture."""
  boxes = looks['box'][looks['faces'] > 0]
  side = np.median((boxes[:, 2:] - boxes[:, :2]).max(-1))
  centre = np.median((boxes[:, :2] + boxes[:, 2:]) / 2, 0)
  box = np.concatenate([centre - side / 2, centre + side / 2])
  return faces.clamp_crop(faces.crop_around(box), width, height)
