"""Appearance extractor F: portrait -> 3-D feature volume.

In: [B, H, W, 3] in [0, 1]. Out: a volume of C channels at D depths, and, when
configured, a finer 2-D feature map that the generator adds back. Source:
LivePortrait (arXiv 2407.03168) with face-vid2vid's layers; the defaults are
its published sizes. The small options trade the 3-D blocks for 2-D ones.
"""

from dataclasses import dataclass

from flax import linen as nn
import jax
import jax.numpy as jnp

from takin_jax.nn.blocks import (
  Conv,
  ConvNormAct,
  ResBlock,
  ResBlock3d,
  leaky_relu,
)
from takin_jax.ops.resize import avg_pool, pixel_unshuffle


@dataclass(frozen=True)
class AppearanceConfig:
  """Sizes of the appearance extractor; defaults are LivePortrait's.

  Attributes:
    input_size: side the portrait is reduced to, pixels.
    patch: folds patches of this side into channels before the first layer.
    channels: width after the first convolution and after each halving.
    volume_channels: C of the feature volume.
    depth: D of the feature volume.
    blocks_2d: residual blocks before the volume is formed.
    blocks_3d: residual blocks inside the volume.
    strided: halve by strided convolutions instead of pooling.
    batch_norm: batch norm and ReLU; otherwise no norm and leaky ReLU.
    skip_channels: channels of the map at twice the volume's size that is
      returned as `skip`; 0: none.
    folded: batch norm is folded into the parameters, see `nn/folding.py`.
  """

  input_size: int = 256
  patch: int = 1
  channels: tuple[int, ...] = (64, 128, 256)
  volume_channels: int = 32
  depth: int = 16
  blocks_2d: int = 0
  blocks_3d: int = 6
  strided: bool = False
  batch_norm: bool = True
  skip_channels: int = 0
  folded: bool = False


class AppearanceExtractor(nn.Module):
  """F: portrait -> {'volume': [B, D, h, w, C][, 'skip': [B, 2h, 2w, S]]}."""

  cfg: AppearanceConfig
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(
    self, image: jax.Array, train: bool = False
  ) -> dict[str, jax.Array]:
    cfg = self.cfg
    x = avg_pool(image, image.shape[1] // cfg.input_size).astype(self.dtype)
    if not cfg.batch_norm:
      x = x - 0.5
    x = pixel_unshuffle(x, cfg.patch)
    block = dict(batch_norm=cfg.batch_norm, folded=cfg.folded, dtype=self.dtype)
    x = ConvNormAct(cfg.channels[0], **block, name='first')(x, train)
    out = {}
    for i, width in enumerate(cfg.channels[1:]):
      if cfg.skip_channels and i == len(cfg.channels) - 2:
        fine = ConvNormAct(x.shape[-1], **block, name='fine')(x, train)
        out['skip'] = Conv(cfg.skip_channels, 1, dtype=self.dtype, name='skip')(
          fine
        )
      x = ConvNormAct(
        width, stride=2, pool=not cfg.strided, **block, name=f'down{i}'
      )(x, train)
    for i in range(cfg.blocks_2d):
      x = ResBlock(cfg.channels[-1], dtype=self.dtype, name=f'res2d{i}')(x)
    if cfg.blocks_2d:
      x = leaky_relu(x)
    c, d = cfg.volume_channels, cfg.depth
    x = Conv(c * d, 1, dtype=self.dtype, name='second')(x)
    x = x.reshape(*x.shape[:3], c, d).transpose(0, 4, 1, 2, 3)
    for i in range(cfg.blocks_3d):
      x = ResBlock3d(c, cfg.folded, self.dtype, name=f'res3d{i}')(x, train)
    return {'volume': x, **out}
