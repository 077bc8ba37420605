"""Figures of faces: where landmarks and heads are, how they move, how sharp.

In: `Readings` of the frames, curves and pictures. Out: floats, NaN where no
face was found.
"""

import cv2
import numpy as np

from takin_jax.eval.judge import Readings

_AKD_PX = 256  # side of the frame in whose pixels distances are given


def keypoint_distance(want: Readings, got: Readings) -> np.ndarray:
  """AKD: mean distance of the 478 landmarks in the picture.

  Source: average keypoint distance of Siarohin et al. (arXiv 2003.00196),
  there for the 68 points of another detector.

  Returns:
    [N] in pixels of a frame of 256 px.
  """
  difference = want.landmarks[..., :2] - got.landmarks[..., :2]
  return _AKD_PX * np.linalg.norm(difference, axis=-1).mean(-1)


def pose_distance(want: Readings, got: Readings) -> np.ndarray:
  """APD: mean over pitch, yaw and roll of their absolute difference.

  Returns:
    [N] in degrees.
  """
  return np.abs(want.pose_deg - got.pose_deg).mean(-1)


def jitter(seen: Readings) -> float:
  """Mean length of the landmarks' second differences in consecutive frames.

  Returns:
    Thousandths of the face height; NaN without three faces in a row.
  """
  x = seen.landmarks[..., :2]
  bend = np.linalg.norm(x[2:] - 2 * x[1:-1] + x[:-2], axis=-1).mean(-1)
  bend = bend / seen.face_height[1:-1]
  known = bend[np.isfinite(bend)]
  return 1000 * float(known.mean()) if len(known) else float('nan')


def sharpness(images: np.ndarray, seen: Readings) -> np.ndarray:
  """Standard deviation of the luma's Laplacian in the box of the landmarks.

  Args:
    images: [N, H, H, 3] uint8 RGB.
    seen: their faces.

  Returns:
    [N] in grey levels; only ratios between pictures of one size say something.
  """
  out = np.full(len(images), np.nan)
  for i in np.flatnonzero(seen.found):
    grey = cv2.cvtColor(images[i], cv2.COLOR_RGB2GRAY).astype(np.float32)
    edges = cv2.Laplacian(grey, cv2.CV_32F)
    points = np.clip(seen.landmarks[i, :, :2] * len(grey), 0, len(grey) - 1)
    (u, v), (w, z) = points.min(0).astype(int), points.max(0).astype(int)
    out[i] = edges[v : z + 1, u : w + 1].std()
  return out


def leakage(source: np.ndarray, made: np.ndarray) -> float:
  """How much of the source's expression is in the output.

  Two frames of a person are moved to the same driving frame.

  Args:
    source: [N] difference of an opening between the two sources.
    made: [N] the same between the two outputs.

  Returns:
    Slope through the origin of `made` against `source`. 0: the output does not
    depend on the source's expression; 1: it keeps the source's.
  """
  known = np.isfinite(source) & np.isfinite(made)
  source, made = source[known], made[known]
  power = float(source @ source)
  return float(source @ made) / power if power > 1e-12 else float('nan')
