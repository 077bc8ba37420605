"""What speech tells of the expression, linearly.

In: the last states of the speech encoder, 50 a second. Out: how the expression
differs from its mean, 25 a second. An hour of filmed speech is too little for a
network to read lips from sound better than a well-regularised linear map does:
on people left out its lips correlate with the real ones by .67, those of the
denoiser by .54. So the map reads, and the denoiser adds what it leaves: the
emotion, the face around the mouth, the head. Ours; it is fitted, not trained.
"""

import dataclasses

from flax import linen as nn
import jax
import jax.numpy as jnp

from takin_jax.shapes import check_shape


@dataclasses.dataclass(frozen=True)
class ArticulationConfig:
  """Sizes of the map.

  Attributes:
    frames: that are heard for one, odd: itself and those around it.
    exp_dim: numbers of an expression.
  """

  frames: int = 5
  exp_dim: int = 63


class Articulation(nn.Module):
  """The map.

  Attributes:
    cfg: sizes.
  """

  cfg: ArticulationConfig

  @nn.compact
  def __call__(self, states: jax.Array) -> jax.Array:
    """[B, 2T, E] last states of the speech encoder -> [B, T, exp_dim]."""
    check_shape(states, 'B S E')
    frames = self.cfg.frames
    around = frames - 1  # states on either side of a frame's own two
    x = jnp.pad(states, ((0, 0), (around, around), (0, 0)), 'edge')
    return nn.Conv(
      self.cfg.exp_dim,
      (2 * frames,),
      (2,),
      padding='VALID',
      kernel_init=nn.initializers.zeros,
      dtype=jnp.float32,
      name='conv',
    )(x)
