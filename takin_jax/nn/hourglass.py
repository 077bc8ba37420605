"""Hourglass over [B, D, H, W, C] that halves H and W only.

Source: face-vid2vid (arXiv 2011.15126). Every block is convolution, batch
norm, ReLU; the skip of the last up block is the input itself. `folded`: the
batch norms are part of the convolutions.
"""

from flax import linen as nn
import jax
import jax.numpy as jnp

from takin_jax.nn.blocks import ConvNormAct


class Hourglass(nn.Module):
  """[B, D, H, W, C] -> [B, D, H, W, block_expansion / 2 + C]."""

  block_expansion: int
  num_blocks: int
  max_features: int
  folded: bool = False
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
    def width(level: float) -> int:
      return min(self.max_features, int(self.block_expansion * 2**level))

    def block(features: int, name: str, **kwargs) -> ConvNormAct:
      return ConvNormAct(
        features,
        ndim=3,
        folded=self.folded,
        dtype=self.dtype,
        name=name,
        **kwargs,
      )

    skips = [x]
    for i in range(self.num_blocks):
      x = block(width(i), f'down{i}', stride=2, pool=True)(x, train)
      skips.append(x)
    skips.pop()
    for i in reversed(range(self.num_blocks)):
      name = f'up{self.num_blocks - 1 - i}'
      x = block(width(i - 1), name, enlarge=2)(x, train)
      x = jnp.concatenate([x, skips.pop()], -1)
    return block(x.shape[-1], 'out')(x, train)
