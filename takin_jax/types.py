"""Containers that cross layers, and the two clocks of the system."""

from typing import Any

from flax import struct
import jax
import jax.numpy as jnp

FRAME_RATE_HZ = 25
SAMPLE_RATE_HZ = 16_000
SAMPLES_PER_FRAME = SAMPLE_RATE_HZ // FRAME_RATE_HZ
# The first six keypoints are the lips: numbers 0 to 17 of a motion vector.
LIP_NUMBERS = 18
HEAD_NUMBERS = 7  # scale, translation and pose are the last ones
# Upper and lower one of them.
OUTER_LIPS, INNER_LIPS = (2, 3), (4, 5)
MOUTH_CORNERS = (0, 1)
# Upper and lower keypoint of the right and of the left lids.
LIDS = ((6, 7), (8, 9))


@struct.dataclass
class Motion:
  """Everything about a face that moves.

  Attributes:
    exp: [..., K, 3] expression offsets, added to the canonical keypoints.
    scale: [..., 1] size of the face in the crop.
    t: [..., 3] translation in [-1, 1] units; only x and y are used.
    pose_deg: [..., 3] pitch, yaw and roll in degrees.
  """

  exp: jax.Array
  scale: jax.Array
  t: jax.Array
  pose_deg: jax.Array

  def to_vector(self) -> jax.Array:
    """[..., 3K + 7]: exp (row-major), scale, t, pitch, yaw, roll."""
    exp = self.exp.reshape(*self.exp.shape[:-2], -1)
    return jnp.concatenate([exp, self.scale, self.t, self.pose_deg], -1)

  @classmethod
  def from_vector(cls, vector: jax.Array) -> 'Motion':
    """Inverse of `to_vector`."""
    exp, rest = vector[..., :-7], vector[..., -7:]
    return cls(
      exp=exp.reshape(*exp.shape[:-1], -1, 3),
      scale=rest[..., :1],
      t=rest[..., 1:4],
      pose_deg=rest[..., 4:],
    )


@struct.dataclass
class Source:
  """What is computed once per portrait.

  Attributes:
    image: [B, H, W, 3] the portrait in [0, 1].
    features: appearance features, as the appearance extractor returns them.
    kp: [B, K, 3] canonical keypoints.
    motion: the portrait's own motion.
  """

  image: jax.Array
  features: Any
  kp: jax.Array
  motion: Motion
