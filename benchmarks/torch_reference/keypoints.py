"""Keypoint geometry in float32: the keypoint transform of LivePortrait.

Source: LivePortrait (arXiv 2407.03168), eq. 2; keypoints are row vectors.
"""

import torch
from torch import Tensor


def rotation_matrix(pose_deg: Tensor) -> Tensor:
  """(Rz(roll) Ry(yaw) Rx(pitch))^T of [..., 3] degrees: [..., 3, 3]."""
  angles = torch.deg2rad(pose_deg)
  (cx, cy, cz), (sx, sy, sz) = (
    f(angles).unbind(-1) for f in (torch.cos, torch.sin)
  )
  one, zero = torch.ones_like(cx), torch.zeros_like(cx)

  def matrix(*rows: tuple[Tensor, ...]) -> Tensor:
    return torch.stack([torch.stack(row, -1) for row in rows], -2)

  x = matrix((one, zero, zero), (zero, cx, -sx), (zero, sx, cx))
  y = matrix((cy, zero, sy), (zero, one, zero), (-sy, zero, cy))
  z = matrix((cz, -sz, zero), (sz, cz, zero), (zero, zero, one))
  return (z @ y @ x).mT


def transform(kp: Tensor, motion: Tensor) -> Tensor:
  """Poses canonical keypoints: scale * (kp @ R + exp) + t.

  Args:
    kp: [B, K, 3] canonical keypoints.
    motion: [B, 3K + 7] exp, scale, t (z unused), pitch, yaw, roll in degrees.

  Returns:
    [B, K, 3].
  """
  exp, scale, t, pose_deg = motion.split((kp[0].numel(), 1, 3, 3), -1)
  moved = kp @ rotation_matrix(pose_deg) + exp.unflatten(-1, (-1, 3))
  flat = torch.tensor([1.0, 1.0, 0.0], device=t.device)
  return scale[..., None] * moved + (t * flat)[:, None]
