"""Landmarks to keypoints to motion, in numpy (the teacher's geometry).

In: MediaPipe's 478 landmarks and pose matrix of every frame of a clip.
Out: 21 keypoints in [-1, 1] and the motion (expression, scale, translation,
pose) that reproduces them: x = scale * (kp @ R + exp) + t, the equation of
`takin_jax.ops.geometry.transform_keypoints`.
Source: LivePortrait (arXiv 2407.03168), eq. 2; its keypoints are learnt, ours
follow landmarks.
"""

import numpy as np

from takin_jax import face

# Landmark index of every keypoint, in the order of `face.py`: mouth corners,
# outer and inner lips, lids, irises, eye corners, brows, nose, chin, cheeks,
# forehead.
LANDMARKS = np.array(
  [61, 291, 0, 17, 13, 14, 159, 145, 386, 374, 468, 473]
  + [33, 263, 105, 334, 1, 152, 234, 454, 10]
)
# They carry translation and scale.
RIGID = np.array(face.RIGID)
CANONICAL_RMS = 0.55  # of the rigid keypoints around their mean

_MIN_RMS = 1e-3


def rotation_matrix(pose_deg: np.ndarray) -> np.ndarray:
  """[..., 3] pitch, yaw, roll -> [..., 3, 3] R for `points @ R`."""
  angles = np.moveaxis(np.radians(pose_deg), -1, 0)
  (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
  rows = [  # the transpose of Rz @ Ry @ Rx, written out
    [cz * cy, sz * cy, -sy],
    [cz * sy * sx - sz * cx, sz * sy * sx + cz * cx, cy * sx],
    [cz * sy * cx + sz * sx, sz * sy * cx - cz * sx, cy * cx],
  ]
  return np.stack([np.stack(row, -1) for row in rows], -2)


def pose_deg(pose_matrix: np.ndarray) -> np.ndarray:
  """Head pose from MediaPipe's facial transformation matrix.

  Args:
    pose_matrix: [T, 4, 4] with y up and z towards the viewer; may be scaled.

  Returns:
    [T, 3] pitch, yaw, roll in degrees, for y down and z into the picture.
  """
  flip = np.diag([1.0, -1.0, -1.0])
  r = flip @ pose_matrix[..., :3, :3].astype(np.float64) @ flip
  r /= np.cbrt(np.linalg.det(r))[..., None, None]
  pitch = np.arctan2(r[..., 2, 1], r[..., 2, 2])
  yaw = -np.arcsin(np.clip(r[..., 2, 0], -1.0, 1.0))
  roll = np.arctan2(r[..., 1, 0], r[..., 0, 0])
  return np.degrees(np.stack([pitch, yaw, roll], -1)).astype(np.float32)


def keypoints(landmarks: np.ndarray) -> np.ndarray:
  """[T, 478, 3] landmarks in crop units -> [T, 21, 3] in [-1, 1] units."""
  points = 2.0 * landmarks[..., LANDMARKS, :]
  return (points - np.array([1.0, 1.0, 0.0])).astype(np.float32)


def motion_from_keypoints(
  x: np.ndarray, pose_deg: np.ndarray, kp: np.ndarray | None = None
) -> dict[str, np.ndarray]:
  """Splits the keypoints of one clip into canonical shape and motion.

  Args:
    x: [T, 21, 3] keypoints.
    pose_deg: [T, 3] pitch, yaw, roll in degrees.
    kp: [21, 3] canonical keypoints of this person, if known.

  Returns:
    dict of float32: `kp` [21, 3] (given, or the clip's median), `exp`
    [T, 21, 3], `scale` [T, 1], `t` [T, 3] with t_z = 0, `pose_deg` [T, 3];
    transforming `kp` by them gives x, its z measured from the rigid points.
  """
  centre = x[:, RIGID].mean(1)
  centred = x - centre[:, None]
  rotation = rotation_matrix(pose_deg)
  unrotated = centred @ np.swapaxes(rotation, -1, -2)
  rms = np.sqrt(np.square(unrotated[:, RIGID]).sum(-1).mean(-1))
  scale = np.maximum(rms, _MIN_RMS)[:, None] / CANONICAL_RMS
  if kp is None:
    kp = np.median(unrotated / scale[..., None], 0)
  exp = centred / scale[..., None] - kp @ rotation
  motion = {
    'kp': kp,
    'exp': exp,
    'scale': scale,
    't': centre * np.array([1.0, 1.0, 0.0]),
    'pose_deg': pose_deg,
  }
  return {k: np.asarray(v, np.float32) for k, v in motion.items()}


def lip_opening(landmarks: np.ndarray) -> np.ndarray:
  """[T, 478, 3] -> [T] gap between the inner lips over the face height."""
  return _gap(landmarks, face.INNER_LIPS)


def eye_opening(landmarks: np.ndarray) -> np.ndarray:
  """[T, 478, 3] -> [T] mean gap between the lids over the face height."""
  return sum(_gap(landmarks, pair) for pair in face.LIDS) / 2


def _gap(landmarks: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
  """Distance of two keypoints in the picture, relative to the face height."""

  def distance(a: int, b: int) -> np.ndarray:
    xy = landmarks[..., LANDMARKS[[a, b]], :2]
    return np.linalg.norm(xy[..., 0, :] - xy[..., 1, :], axis=-1)

  return distance(*pair) / np.maximum(distance(face.FOREHEAD, face.CHIN), 1e-6)
