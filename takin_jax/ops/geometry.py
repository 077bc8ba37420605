"""Keypoint geometry: rotations, the keypoint transform, relative driving.

Axes: x right, y down, z into the picture; keypoints are row vectors in
[-1, 1]. Always float32. Source: LivePortrait (arXiv 2407.03168), eqs. 1-2.
"""

import jax
import jax.numpy as jnp

from takin_jax.types import Motion


def rotation_matrix(pose_deg: jax.Array) -> jax.Array:
  """Head rotation for row vectors: R = (Rz(roll) Ry(yaw) Rx(pitch))^T.

  Args:
    pose_deg: [..., 3] pitch, yaw, roll in degrees.

  Returns:
    [..., 3, 3] float32, to be used as `points @ R`.
  """
  angles = jnp.deg2rad(pose_deg.astype(jnp.float32))
  cx, cy, cz = (jnp.cos(angles[..., i]) for i in range(3))
  sx, sy, sz = (jnp.sin(angles[..., i]) for i in range(3))
  rows = [  # the transpose of Rz @ Ry @ Rx, written out
    [cz * cy, sz * cy, -sy],
    [cz * sy * sx - sz * cx, sz * sy * sx + cz * cx, cy * sx],
    [cz * sy * cx + sz * sx, sz * sy * cx - cz * sx, cy * cx],
  ]
  return jnp.stack([jnp.stack(row, -1) for row in rows], -2)


def transform_keypoints(kp: jax.Array, motion: Motion) -> jax.Array:
  """Poses canonical keypoints: x = scale * (kp @ R + exp) + t.

  Args:
    kp: [..., K, 3] canonical keypoints.
    motion: the motion to apply; its `t` moves x and y only.

  Returns:
    [..., K, 3] keypoints in [-1, 1] units of the picture.
  """
  rotated = kp @ rotation_matrix(motion.pose_deg) + motion.exp
  shift = motion.t.at[..., 2].set(0.0)
  return motion.scale[..., None] * rotated + shift[..., None, :]


def relative_motion(source: Motion, first: Motion, current: Motion) -> Motion:
  """Motion of a driving clip since its first frame, put on the source.

  R' = R_i R_0^T R_s, as LivePortrait's pipeline composes it; exp, t and scale
  change by the same amount (scale: by the same factor) as in the driving clip.

  Args:
    source: the portrait's motion.
    first: the driving clip's reference frame.
    current: the driving frame.

  Returns:
    The portrait's motion for this frame.
  """
  r_source, r_first, r_now = (
    rotation_matrix(m.pose_deg) for m in (source, first, current)
  )
  rotation = r_now @ jnp.swapaxes(r_first, -1, -2) @ r_source
  return Motion(
    exp=source.exp + current.exp - first.exp,
    scale=source.scale * current.scale / first.scale,
    t=source.t + current.t - first.t,
    pose_deg=pose_from_matrix(rotation),
  )


def pose_from_matrix(rotation: jax.Array) -> jax.Array:
  """Inverse of `rotation_matrix` for |yaw| < 90 degrees: [..., 3] degrees."""
  pitch = jnp.arctan2(rotation[..., 1, 2], rotation[..., 2, 2])
  yaw = -jnp.arcsin(jnp.clip(rotation[..., 0, 2], -1.0, 1.0))
  roll = jnp.arctan2(rotation[..., 0, 1], rotation[..., 0, 0])
  return jnp.rad2deg(jnp.stack([pitch, yaw, roll], -1))


def motion_from_keypoints(
  x: jax.Array,
  pose_deg: jax.Array,
  kp: jax.Array,
  rigid: tuple[int, ...],
  canonical_rms: float,
) -> Motion:
  """The motion that poses given canonical keypoints as x.

  Args:
    x: [B, K, 3] keypoints in the picture.
    pose_deg: [B, 3] pitch, yaw, roll in degrees.
    kp: [B, K, 3] canonical keypoints.
    rigid: keypoints that carry translation and scale.
    canonical_rms: their distance from their mean (rms) in canonical units.

  Returns:
    Motion with `transform_keypoints(kp, motion)` equal to x, its z measured
    from the rigid keypoints.
  """
  rotation = rotation_matrix(pose_deg)
  rigid_points = x[:, jnp.asarray(rigid)]
  centre = rigid_points.mean(1, keepdims=True)
  squared = jnp.square(rigid_points - centre).sum(-1).mean(1)
  scale = jnp.sqrt(squared)[:, None] / canonical_rms
  exp = (x - centre) / scale[..., None] - kp @ rotation
  return Motion(
    exp=exp,
    scale=scale,
    t=centre[:, 0].at[:, 2].set(0.0),
    pose_deg=pose_deg,
  )
