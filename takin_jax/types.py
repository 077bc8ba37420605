"""Containers that cross layers: motion, and the encoded portrait."""

from typing import Any

from flax import struct
import jax
import jax.numpy as jnp

from takin_jax import face


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
    """[..., 3K + 7] as `face.py` lays it out."""
    exp = self.exp.reshape(*self.exp.shape[:-2], -1)
    return jnp.concatenate([exp, self.scale, self.t, self.pose_deg], -1)

  @classmethod
  def from_vector(cls, vector: jax.Array) -> 'Motion':
    """Inverse of `to_vector`."""
    return cls(
      exp=face.exp_points(vector),
      scale=vector[..., face.SCALE],
      t=vector[..., face.TRANSLATION],
      pose_deg=vector[..., face.POSE_DEG],
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
