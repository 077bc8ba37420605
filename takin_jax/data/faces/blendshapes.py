"""What an emotion looks like: which blendshapes it raises.

In: blendshapes in [0, 1] as MediaPipe reads them. Out: how strongly each frame
shows the emotion that its clip is labelled with. People who were asked to be
sad or angry often smile, or only speak; their frames should count little.
"""

from collections.abc import Mapping, Sequence

import numpy as np

NEUTRAL = 'neutral'
# At least one of these rises; both sides of a face are averaged.
SIGNS = {
  'happy': ('mouthSmile',),
  'sad': ('mouthFrown', 'browInnerUp'),
  'angry': ('browDown',),
  'surprised': ('browInnerUp', 'jawOpen', 'eyeWide'),
  'disgusted': ('noseSneer', 'mouthUpperUp'),
  'fear': ('browInnerUp', 'eyeWide'),
  'contempt': ('mouthSmile', 'mouthDimple', 'mouthLeft', 'mouthRight'),
}
_SMILE = 'mouthSmile'
# Of a frame without any sign: emotions that no frame shows keep their mean.
_LEAST = 0.02


def both_sides(
  names: Sequence[str], shapes: np.ndarray
) -> dict[str, np.ndarray]:
  """Blendshapes [T, N] by name, [T] each; left and right are averaged."""
  groups: dict[str, list[np.ndarray]] = {}
  for name, values in zip(names, shapes.T, strict=True):
    both = name.removesuffix('Left').removesuffix('Right')
    # mouthLeft and mouthRight are directions, not sides.
    both = name if both in ('mouth', 'jaw') else both
    groups.setdefault(both, []).append(values)
  return {name: np.mean(values, 0) for name, values in groups.items()}


def strength(
  emotion: str, shapes: Mapping[str, np.ndarray], frames: int
) -> np.ndarray:
  """How much each of the frames counts as one of this emotion.

  Args:
    emotion: the label; one without known signs counts the same everywhere.
    shapes: of `both_sides`, [frames] each; may be empty.
    frames: their number.

  Returns:
    [frames] positive: the square of the signs' sum, less the smile where that
    is no sign.
  """
  signs = SIGNS.get(emotion, ())
  against = () if _SMILE in signs else (_SMILE,)
  score = np.zeros(frames)
  if signs:
    score += sum(shapes.get(name, 0.0) for name in signs)
    score -= sum(shapes.get(name, 0.0) for name in against)
  return np.square(_LEAST + np.maximum(score, 0.0))
