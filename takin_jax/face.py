"""A face in numbers: the two clocks, the keypoints, the motion vector.

NumPy only, so that data, networks and animation can share it; the functions
also take JAX arrays.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

FRAME_RATE_HZ = 25  # of motion and pictures
SAMPLE_RATE_HZ = 16_000  # of speech
SAMPLES_PER_FRAME = SAMPLE_RATE_HZ // FRAME_RATE_HZ

# The landmark keypoints, by what they follow (`data/faces/geometry.py` says
# which landmarks); pairs are (upper, lower) or (right, left). Keypoints that
# were learnt without landmarks, as LivePortrait's, have no such names.
MOUTH_CORNERS = (0, 1)
OUTER_LIPS, INNER_LIPS = (2, 3), (4, 5)
LIDS = ((6, 7), (8, 9))
IRISES = (10, 11)
EYE_CORNERS = (12, 13)  # the outer ones
BROWS = (14, 15)
NOSE, CHIN = 16, 17
CHEEKS = (18, 19)
FOREHEAD = 20
NUM_KEYPOINTS = 21
# Those that hardly move with the expression.
RIGID = (*EYE_CORNERS, NOSE, *CHEEKS, FOREHEAD)
# The keypoint that takes the place of each one in a mirrored face.
MIRRORED = np.array(
  [1, 0, 2, 3, 4, 5, 8, 9, 6, 7, 11, 10, 13, 12, 15, 14, 16, 17, 19, 18, 20]
)
MIRROR_XYZ = np.array([-1, 1, 1], np.float32)
MIRROR_POSE_DEG = np.array([1, -1, -1], np.float32)  # pitch stays

# A motion vector [3K + 7]: expression (x, y, z of every keypoint in turn),
# then the head: scale, translation, and pitch, yaw, roll in degrees.
HEAD_DIM = 7
EXP_DIM = 3 * NUM_KEYPOINTS
MOTION_DIM = EXP_DIM + HEAD_DIM
EXP, HEAD = slice(None, -HEAD_DIM), slice(-HEAD_DIM, None)
SCALE, TRANSLATION, POSE_DEG = slice(-7, -6), slice(-6, -3), slice(-3, None)
PITCH, YAW, ROLL = -3, -2, -1
# Of the landmark keypoints' expression: mouth corners and lips, and the rest.
LIPS = slice(0, 3 * (1 + max(INNER_LIPS)))
UPPER_FACE = slice(LIPS.stop, -HEAD_DIM)

Pairs = Sequence[tuple[int, int]]


def gaps(points: Any, pairs: Pairs, axis: int = 1) -> Any:
  """How far the second keypoint of each pair is below the first.

  Args:
    points: [..., K, 3] keypoints or expressions.
    pairs: P pairs, e.g. `LIDS`.
    axis: 1: vertically; 0: from left to right.

  Returns:
    [..., P].
  """
  first, second = np.array(pairs).T
  return points[..., second, axis] - points[..., first, axis]


def exp_points(motion: Any) -> Any:
  """[..., 3K + 7] motion vectors -> [..., K, 3] expressions, a view."""
  exp = motion[..., EXP]
  return exp.reshape(*exp.shape[:-1], -1, 3)


def mirror_points(points: np.ndarray) -> np.ndarray:
  """[..., 21, 3] keypoints or expressions of the mirrored face."""
  return points[..., MIRRORED, :] * MIRROR_XYZ


def mirror_motion(motion: np.ndarray) -> np.ndarray:
  """[..., 70] motion vectors of the mirrored face."""
  exp = mirror_points(exp_points(motion))
  head = (
    motion[..., SCALE],
    motion[..., TRANSLATION] * MIRROR_XYZ,
    motion[..., POSE_DEG] * MIRROR_POSE_DEG,
  )
  return np.concatenate([exp.reshape(*exp.shape[:-2], -1), *head], -1)
