"""Named emotions as offsets of the landmark keypoints.

Faces that were filmed while they showed an emotion differ from other faces by
the emotion and by whose they are, and few people were filmed with all of them:
means over clips carry the shape of those few people onto every portrait. Here
an emotion moves brows, lids, lips and chin alone, and but for contempt both
sides alike. `happy`
and `surprised` are means of differences within a person (102 people with and
without a smile; blendshapes of labelled clips, through a linear map to
keypoints that was fitted within clips). The others follow the action units of
their prototypes by hand (Ekman & Friesen, 1978), as far as 21 points tell them
and the recorded people show them, at a size that leaves a portrait's identity.
"""

from collections.abc import Mapping

import numpy as np

from takin_jax import face

Offset = tuple[float, float]

_POINTS = {
  'corners': face.MOUTH_CORNERS,
  'outer_upper_lip': face.OUTER_LIPS[:1],
  'outer_lower_lip': face.OUTER_LIPS[1:],
  'inner_upper_lip': face.INNER_LIPS[:1],
  'inner_lower_lip': face.INNER_LIPS[1:],
  'upper_lids': tuple(upper for upper, _ in face.LIDS),
  'lower_lids': tuple(lower for _, lower in face.LIDS),
  'brows': face.BROWS,
  'left_corner': face.MOUTH_CORNERS[:1],
  'nose': (face.NOSE,),
  'chin': (face.CHIN,),
}
# (outwards, down) in units of the canonical keypoints; of a single point:
# (to the right, down).
EXPRESSIONS: Mapping[str, Mapping[str, Offset]] = {
  'happy': {
    'corners': (0.037, -0.052),
    'outer_upper_lip': (0, -0.028),
    'inner_upper_lip': (0, -0.037),
    'outer_lower_lip': (0, 0.002),
    'inner_lower_lip': (0, 0.008),
    'lower_lids': (0, -0.010),
  },
  'sad': {
    'corners': (-0.006, 0.042),
    'outer_upper_lip': (0, -0.004),
    'inner_upper_lip': (0, -0.004),
    'outer_lower_lip': (0, -0.016),
    'inner_lower_lip': (0, -0.008),
    'chin': (0, -0.010),
    'upper_lids': (0, 0.010),
    'brows': (-0.004, -0.036),
  },
  'angry': {
    'corners': (-0.010, 0.006),
    'outer_upper_lip': (0, 0.006),
    'inner_upper_lip': (0, 0.006),
    'outer_lower_lip': (0, -0.006),
    'inner_lower_lip': (0, -0.004),
    'upper_lids': (0, 0.004),
    'lower_lids': (0, -0.014),
    'brows': (-0.010, 0.042),
  },
  'surprised': {
    'corners': (-0.006, 0.041),
    'outer_upper_lip': (0, 0.007),
    'inner_upper_lip': (0, 0.010),
    'outer_lower_lip': (0, 0.096),
    'inner_lower_lip': (0, 0.088),
    'chin': (0, 0.057),
    'upper_lids': (0, -0.012),
    'lower_lids': (0, 0.015),
    'brows': (0, -0.042),
  },
  'disgusted': {
    'corners': (0.002, 0.024),
    'outer_upper_lip': (0, -0.048),
    'inner_upper_lip': (0, -0.048),
    'upper_lids': (0, 0.006),
    'lower_lids': (0, -0.014),
    'brows': (-0.004, 0.030),
    'nose': (0, -0.006),
  },
  'fear': {
    'corners': (0.030, 0.016),
    'outer_lower_lip': (0, 0.020),
    'inner_lower_lip': (0, 0.020),
    'upper_lids': (0, -0.016),
    'lower_lids': (0, 0.006),
    'brows': (-0.008, -0.050),
  },
  'contempt': {
    'left_corner': (-0.030, -0.030),
    'outer_upper_lip': (-0.006, -0.006),
    'inner_upper_lip': (-0.006, -0.004),
    'lower_lids': (0, -0.006),
  },
}


def offset(emotion: str) -> np.ndarray:
  """[63] what an emotion of EXPRESSIONS adds to an expression."""
  moved = np.zeros((face.NUM_KEYPOINTS, 3), np.float32)
  for name, (outwards, down) in EXPRESSIONS[emotion].items():
    points = _POINTS[name]
    # Of a pair, the first one lies on the left side of the picture.
    signs = (-1, 1) if len(points) == 2 else (1,)
    for point, sign in zip(points, signs, strict=True):
      moved[point, :2] = sign * outwards, down
  return moved.reshape(-1)
