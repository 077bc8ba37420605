"""Changes of a window of motion that leave it a person's motion.

In and out: the arrays of `motion_windows.cut`; what they get stays as it is.
"""

from collections.abc import Mapping

import numpy as np

from takin_jax import face


def flip(sample: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
  """Mirrors a window from left to right."""
  mirrored = dict(sample)
  for key in ('motion', 'prefix'):
    mirrored[key] = face.mirror_motion(sample[key])
  for key in ('emotion', 'source_kp'):
    points = sample[key].reshape(-1, 3)
    mirrored[key] = face.mirror_points(points).reshape(-1)
  return mirrored


def shift_emotion(
  sample: Mapping[str, np.ndarray], offset: np.ndarray
) -> dict[str, np.ndarray]:
  """Adds an expression [63] to every frame and to the emotion."""
  shifted = dict(sample, emotion=sample['emotion'] + offset)
  for key in ('motion', 'prefix'):
    shifted[key] = sample[key].copy()
    shifted[key][..., face.EXP] += offset
  return shifted
