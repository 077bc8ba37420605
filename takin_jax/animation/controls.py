"""What steers a moving portrait, in numbers that may change while it moves."""

import dataclasses
from typing import Any

from flax import struct
import jax
import numpy as np

from takin_jax.config import build, check_range

_OLD_NAMES = {'own_keypoints': 'landmark_keypoints'}


@dataclasses.dataclass(frozen=True)
class InferConfig:
  """The config block `infer`: what suits these weights.

  Attributes:
    emotion: `NAME[:scale]` when the user asks for none; '': not conditioned.
    max_pose_deg: the head turns less than this from its place.
    landmark_keypoints: keypoints follow landmarks (`face.py`), so lips and lids
      are known: lips close in silence and lids blink.
    blinks_per_minute: that are added when the user does not say how many.
    emotion_share: share of the emotion's expression that is added to what the
      denoiser makes of it, see `emotion.shift`.
  """

  emotion: str = ''
  max_pose_deg: float = 180.0
  landmark_keypoints: bool = False
  blinks_per_minute: float = 0.0
  emotion_share: float = 0.0

  def __post_init__(self):
    check_range(self, 0, 180, 'max_pose_deg', where='infer.')
    check_range(self, 0, 1000, 'blinks_per_minute', where='infer.')
    check_range(self, 0, 100, 'emotion_share', where='infer.')

  @classmethod
  def of(cls, config: Any) -> 'InferConfig':
    """The block of a weights folder's config; none: the defaults."""
    block = dict(config.get('infer') or {})
    # Folders written before the name was the field's.
    return build(cls, {_OLD_NAMES.get(k, k): v for k, v in block.items()})


@struct.dataclass
class Controls:
  """How motion is put on the portrait.

  Attributes:
    motion_scale: factor on the expression.
    pose_scale: factor on movements of the head.
    max_pose_deg: the head turns less than this far from its place in the
      portrait, in pitch, yaw and roll.
    max_shift: a driven head moves less than this far from its place, in units
      of half the crop.
    max_zoom: and becomes less than this factor larger or smaller, as a
      logarithm.
    blinks_per_minute: added to motion predicted from speech.
    relative: 1: the changes of a driving video since its first frame move the
      portrait; 0: the portrait takes its expression and pose as they are.
    emotion: [3K] mean expression that speech is spoken with; None: none asked
      for.
    has_emotion: [] bool, set by `as_arrays`.
  """

  motion_scale: float = 1.0
  pose_scale: float = 1.0
  max_pose_deg: float = 180.0
  max_shift: float = 0.3
  max_zoom: float = 0.2
  blinks_per_minute: float = 0.0
  relative: float = 1.0
  emotion: jax.Array | np.ndarray | None = None
  has_emotion: jax.Array | np.bool_ | None = None

  def as_arrays(self, exp_dim: int) -> 'Controls':
    """The same, as compiled programs take it: always the same shapes.

    Args:
      exp_dim: 3K, numbers of an expression.
    """
    given = self.emotion is not None
    emotion = self.emotion if given else np.zeros(exp_dim)
    has_emotion = given if self.has_emotion is None else self.has_emotion
    numbers = self.replace(emotion=emotion, has_emotion=None)
    numbers = jax.tree.map(np.float32, numbers)
    return numbers.replace(has_emotion=np.bool_(has_emotion))
