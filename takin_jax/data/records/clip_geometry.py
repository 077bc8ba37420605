"""What the teacher knows about every frame of every clip.

In: records of `takin_jax.data.prepare`. Out: keypoints and motion by
`takin_jax.data.faces.geometry`; canonical keypoints are shared by a person.
"""

from collections.abc import Sequence
import dataclasses
import os
from typing import Any

import numpy as np

from takin_jax.data import records
from takin_jax.data.faces import geometry, mean_face


@dataclasses.dataclass(frozen=True)
class ClipGeometry:
  """What the teacher knows about the frames of one clip.

  Attributes:
    id: name of the record.
    meta: its `meta`.
    kp: [21, 3] canonical keypoints of the person.
    frames: by name `x` [T, 21, 3], z measured from the rigid points, `exp`,
      `scale`, `t`, `pose` (degrees), `lids` [T, 1] and `lips` [T, 1]; with
      chosen landmarks also `landmarks` [T, 2, N, 2]: those, and the ones that
      take their places in a mirrored face.
    found: [F] numbers of the frames that show a face.
  """

  id: str
  meta: dict[str, Any]
  kp: np.ndarray
  frames: dict[str, np.ndarray]
  found: np.ndarray

  @property
  def person(self) -> str:
    """Who the clip shows."""
    return self.meta.get('person') or self.id


def load_geometry(
  folder: str | os.PathLike[str], landmarks: Sequence[int] = ()
) -> list[ClipGeometry]:
  """The geometry of all clips; canonical keypoints are shared by a person.

  Args:
    folder: of records.
    landmarks: numbers of the landmarks to keep.
  """
  heads = records.read_heads(folder)
  points = [geometry.keypoints(h.landmarks) for h in heads]
  poses = [geometry.pose_deg(h.pose_matrix) for h in heads]
  persons: dict[str, list[int]] = {}
  for i, head in enumerate(heads):
    persons.setdefault(head.meta.get('person') or head.id, []).append(i)
  kps = {}
  for person, clips in persons.items():
    x = np.concatenate([points[i][heads[i].found] for i in clips])
    pose = np.concatenate([poses[i][heads[i].found] for i in clips])
    kps[person] = geometry.motion_from_keypoints(x, pose)['kp']
  return [
    _clip_geometry(h, x, pose, kps[h.meta.get('person') or h.id], landmarks)
    for h, x, pose in zip(heads, points, poses, strict=True)
  ]


def _clip_geometry(
  head: records.ClipHead,
  x: np.ndarray,
  pose: np.ndarray,
  kp: np.ndarray,
  landmarks: Sequence[int],
) -> ClipGeometry:
  motion = geometry.motion_from_keypoints(x, pose, kp)
  x = x.copy()
  x[..., 2] -= x[:, geometry.RIGID, 2].mean(1, keepdims=True)
  frames = {
    'x': x,
    'exp': motion['exp'],
    'scale': motion['scale'],
    't': motion['t'],
    'pose': motion['pose_deg'],
    'lids': geometry.eye_opening(head.landmarks)[:, None],
    'lips': geometry.lip_opening(head.landmarks)[:, None],
  }
  if landmarks:
    chosen = np.asarray(landmarks)
    both = np.stack([chosen, mean_face.mirror()[chosen]])
    frames['landmarks'] = 2.0 * head.landmarks[:, both, :2] - 1.0
  frames = {k: np.asarray(v, np.float32) for k, v in frames.items()}
  found = np.flatnonzero(head.found)
  return ClipGeometry(head.id, head.meta, motion['kp'], frames, found)
