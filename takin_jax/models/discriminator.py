"""Patch discriminator of stage 1: picture -> a map of scores, and features.

Source: face-vid2vid (arXiv 2011.15126) in its public form: convolutions
without padding, spectrally normalised, instance norm from the second block on.
"""

from dataclasses import dataclass

from flax import linen as nn
import jax
import jax.numpy as jnp

from takin_jax.nn.blocks import leaky_relu
from takin_jax.nn.spade import instance_norm
from takin_jax.nn.spectral import SpectralConv
from takin_jax.ops.resize import avg_pool


@dataclass(frozen=True)
class DiscriminatorConfig:
  """Sizes of the discriminator.

  Attributes:
    block_expansion: half the width of the first block.
    num_blocks: 4x4 convolutions; all but the last halve the map.
    max_features: limit of the width.
    folded: spectral norm is folded into the kernels, see `nn/folding.py`.
  """

  block_expansion: int = 32
  num_blocks: int = 4
  max_features: int = 512
  folded: bool = False


class Discriminator(nn.Module):
  """[B, H, W, 3] in [0, 1] -> scores [B, h, w, 1] and a list of features."""

  cfg: DiscriminatorConfig
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(
    self, image: jax.Array, train: bool = False
  ) -> tuple[jax.Array, list[jax.Array]]:
    cfg = self.cfg

    def conv(name: str, x: jax.Array, width: int, kernel: int) -> jax.Array:
      return SpectralConv(
        width, kernel, 0, folded=cfg.folded, dtype=self.dtype, name=name
      )(x, train)

    side = min(image.shape[1:3])
    if side < _smallest(cfg.num_blocks):
      raise ValueError(
        f'{cfg.num_blocks} blocks of the discriminator need pictures of at '
        f'least {_smallest(cfg.num_blocks)} px; these have {side}.'
      )
    x, features = image, []
    for i in range(cfg.num_blocks):
      width = min(cfg.block_expansion * 2 ** (i + 1), cfg.max_features)
      x = conv(f'conv{i}', x, width, 4)
      if i:
        x = InstanceNorm(name=f'norm{i}')(x)
      x = leaky_relu(x)
      if i < cfg.num_blocks - 1:  # like torch, an odd last row is left out
        h, w = (size // 2 * 2 for size in x.shape[1:3])
        x = avg_pool(x[:, :h, :w], 2)
      features.append(x)
    return conv('scores', x, 1, 1).astype(jnp.float32), features


def _smallest(blocks: int) -> int:
  """The side of a picture of which these blocks leave one pixel or more."""
  side = 1
  for i in range(blocks):
    side = (side if i == 0 else 2 * side) + 3
  return side


class InstanceNorm(nn.Module):
  """Instance norm with a learned scale and bias: [B, H, W, C]."""

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    scale = self.param('scale', nn.initializers.ones, x.shape[-1:])
    bias = self.param('bias', nn.initializers.zeros, x.shape[-1:])
    y = instance_norm(x.astype(jnp.float32)) * scale + bias
    return y.astype(x.dtype)
