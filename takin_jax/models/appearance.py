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
from takin_jax.ops.grid_sample import center_axis
from takin_jax.ops.resize import avg_pool, pixel_unshuffle

# Half axes of the face in its crop, [-1, 1] units.
_FACE = (0.58, 0.68)
# Mean distance of the surroundings' colours from grey: from here on they are
# strong, and from there on nothing is left of them. Rooms have less than 0.2.
_STRONG = (0.2, 0.28)
_LIMIT, _CONTRAST = 0.2, 0.8  # of the colours' strength; of usual surroundings


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
    quiet: contrast of strongly coloured surroundings in a second volume, which
      is made from the portrait with them in grey; 1: there is none.
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
  quiet: float = 1.0
  folded: bool = False


class AppearanceExtractor(nn.Module):
  """F: portrait -> {'volume': [B, D, h, w, C][, 'skip': [B, 2h, 2w, S]]}.

  With `quiet` also a volume of that name: the one to read the motion of the
  face off, for no strong colour behind it reaches that one.
  """

  cfg: AppearanceConfig
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(
    self, image: jax.Array, train: bool = False
  ) -> dict[str, jax.Array]:
    cfg = self.cfg
    x = avg_pool(image, image.shape[1] // cfg.input_size)
    if cfg.quiet < 1.0:
      x = jnp.concatenate([x, quiet_surroundings(x, cfg.quiet)])
    x = x.astype(self.dtype)
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
    out['volume'] = x
    if cfg.quiet < 1.0:
      out = {name: jnp.split(value, 2)[0] for name, value in out.items()}
      out['quiet'] = jnp.split(x, 2)[1]
    return out


def quiet_surroundings(image: jax.Array, contrast: float) -> jax.Array:
  """A face crop with all but its middle calmer, in grey if it shouts.

  Convolutions carry a red wall into the face before it: mouths then stay shut.
  Colours and contrast of usual surroundings are hardly changed, for they tell
  hair and shoulders from the wall.

  Args:
    image: [B, H, W, 3] in [0, 1].
    contrast: that is left to strongly coloured surroundings, at most 1.
  """
  y, x = center_axis(image.shape[1])[:, None], center_axis(image.shape[2])
  distance = jnp.sqrt(jnp.square(x / _FACE[0]) + jnp.square(y / _FACE[1]))
  face = jnp.clip((1.15 - distance) / 0.3, 0.0, 1.0)[..., None]
  grey = (image * jnp.array([0.299, 0.587, 0.114])).sum(-1, keepdims=True)
  colour = image - grey
  size = jnp.sqrt(jnp.square(colour).sum(-1, keepdims=True) + 1e-8)
  around = 1.0 - face
  mean = (around * size).sum((1, 2, 3), keepdims=True) / around.sum()
  strong = jnp.clip((mean - _STRONG[0]) / (_STRONG[1] - _STRONG[0]), 0.0, 1.0)
  colour *= (1.0 - strong) * jnp.minimum(1.0, _LIMIT / size)
  contrast = _CONTRAST + strong * (contrast - _CONTRAST)
  return face * image + around * (0.5 + contrast * (grey - 0.5) + colour)
