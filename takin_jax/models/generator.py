"""Generator G: warped features -> picture.

Source: LivePortrait's SPADE decoder (arXiv 2407.03168) with its published
sizes as defaults. `blend` is the small form: a plain decoder that refines the
flow, warps the portrait itself and paints only what the warp cannot show
(mouth interior, uncovered background); it is sharp after minutes of training.
"""

from dataclasses import dataclass
from typing import Any

from flax import linen as nn
import jax
import jax.numpy as jnp

from takin_jax.nn.blocks import Conv, ResBlock, group_norm, leaky_relu
from takin_jax.nn.spade import SPADE_HIDDEN, SpadeResBlock
from takin_jax.nn.spade_folded import FoldedSpadeResBlock, fold_block, join
from takin_jax.ops.grid_sample import (
  center_axis,
  center_grid,
  gaussian_1d,
  grid_sample,
)
from takin_jax.ops.resize import (
  bilinear_upsample,
  binomial_blur,
  nearest_upsample,
  pixel_shuffle,
  pixel_unshuffle,
)


@dataclass(frozen=True)
class GeneratorConfig:
  """Sizes of the generator; defaults are LivePortrait's 512 x 512 decoder.

  Attributes:
    channels: width of the middle blocks.
    middle_blocks: SPADE blocks at the feature map's size.
    up_channels: width after each doubling.
    upscale: pixel shuffle at the end, 1 or 2.
    folded: the parameters are those of `fold`, for inference.
    blend: the small form.
    kp_variance: variance of its sharp driving heat maps.
    kp_hidden: width of the keypoint embedding that modulates its blocks.
  """

  channels: int = 512
  middle_blocks: int = 6
  up_channels: tuple[int, ...] = (256, 64)
  upscale: int = 2
  folded: bool = False
  blend: bool = False
  kp_variance: float = 0.00125
  kp_hidden: int = 64


class Generator(nn.Module):
  """G: the warping module's output -> {'image': [B, H, W, 3] in [0, 1]}.

  The small form also uses the portrait and the keypoints. Its picture is
  `warped` + `residual`, [B, H, W, 3] each: the portrait moved by `flow`
  [B, H / 4, W / 4, 2] (offset to add to the identity grid), and what the warp
  cannot show. At another size the same two make the picture, see
  `BlendDecoder`.
  """

  cfg: GeneratorConfig
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(
    self,
    warped: dict[str, jax.Array],
    image: jax.Array,
    kp_source: jax.Array,
    kp_driving: jax.Array,
    train: bool = False,
  ) -> dict[str, jax.Array]:
    if self.cfg.blend:
      return BlendDecoder(self.cfg, self.dtype, name='decoder')(
        warped, image, kp_source, kp_driving
      )
    feature = warped['feature'].astype(self.dtype)
    x = Conv(self.cfg.channels, dtype=self.dtype, name='fc')(feature)
    if self.cfg.folded:
      x = self._folded_blocks(x, feature)
    else:
      x = self._blocks(x, feature, train)
    upscale = self.cfg.upscale
    x = Conv(3 * upscale**2, dtype=self.dtype, name='conv_img')(leaky_relu(x))
    image = pixel_shuffle(x, upscale).astype(jnp.float32)
    return {'image': nn.sigmoid(image)}

  def _blocks(self, x: jax.Array, seg: jax.Array, train: bool) -> jax.Array:
    cfg = self.cfg

    def block(name: str, x: jax.Array, features: int) -> jax.Array:
      return SpadeResBlock(features, dtype=self.dtype, name=name)(x, seg, train)

    for i in range(cfg.middle_blocks):
      x = block(f'middle{i}', x, cfg.channels)
    for i, width in enumerate(cfg.up_channels):
      x = block(f'up{i}', nearest_upsample(x, 2), width)
    return x

  def _folded_blocks(self, x: jax.Array, seg: jax.Array) -> jax.Array:
    """The same blocks in the layout of `fold`."""
    cfg = self.cfg

    def hidden(name: str, norms: int, enlarge: int = 1) -> list[jax.Array]:
      """Activated shared convolutions of so many norms, in one."""
      width = norms * SPADE_HIDDEN
      conv = Conv(width, enlarge=enlarge, dtype=self.dtype, name=name)
      return jnp.split(nn.relu(conv(seg)), norms, -1)

    def block(name: str, features: int, enlarge: int = 1):
      return FoldedSpadeResBlock(features, enlarge, self.dtype, name=name)

    if cfg.middle_blocks:
      maps = hidden('middle_shared', 2 * cfg.middle_blocks)
    for i in range(cfg.middle_blocks):
      pair = maps[2 * i : 2 * i + 2]
      x = block(f'middle{i}', cfg.channels)(x, pair)
    for i, width in enumerate(cfg.up_channels):
      norms = 2 if x.shape[-1] == width else 3
      maps = hidden(f'up{i}_shared', norms, 2 ** (i + 1))
      x = block(f'up{i}', width, 2)(x, maps)
    return x


def fold(params: dict[str, Any]) -> dict[str, Any]:
  """Parameters of the SPADE form for `folded`, see `nn/spade_folded.py`.

  Args:
    params: without spectral norms.
  """
  out, middle = {}, []
  for name, group in params.items():
    if name.startswith('middle'):
      out[name], shared = fold_block(group)
      middle.append(shared)
    elif name.startswith('up'):
      out[name], shared = fold_block(group)
      out[f'{name}_shared'] = {'conv': shared}
    else:
      out[name] = group
  return {**out, 'middle_shared': {'conv': join(middle)}} if middle else out


class BlendDecoder(nn.Module):
  """The small decoder: 3 doublings, a residual flow, and the blend.

  Source of the sharp heat maps: at 1/8 size a lip is one cell high, so small
  openings cannot be seen; at 1/4 size with peaks of 4 pixels they can.

  The paint is blurred by two pixels, which takes the grid of the pixel
  shuffle away and nothing else: the detail of the picture is the warp's.
  """

  cfg: GeneratorConfig
  dtype: jnp.dtype

  @nn.compact
  def __call__(
    self,
    warped: dict[str, jax.Array],
    image: jax.Array,
    kp_source: jax.Array,
    kp_driving: jax.Array,
  ) -> dict[str, jax.Array]:
    cfg, dtype = self.cfg, self.dtype
    width, (half, quarter) = cfg.channels, cfg.up_channels
    embedding = self._embed(kp_source, kp_driving)
    x = Conv(width, dtype=dtype, name='fc')(warped['feature'])
    for i in range(cfg.middle_blocks):
      x = self._modulate(f'film{i}', x, embedding)
      x = ResBlock(width, dtype=dtype, name=f'middle{i}')(x)
    x = self._up('up0', leaky_relu(group_norm(x)), half)
    fine = self._heatmaps(kp_driving, x.shape[1])
    x = jnp.concatenate([leaky_relu(x), warped['skip'], fine], -1)
    # Convolutions of a multiple of 8 channels are up to 3 times faster.
    x = jnp.pad(x, [(0, 0)] * 3 + [(0, -x.shape[-1] % 8)])
    x = Conv(half, dtype=dtype, name='merge0')(x)
    x = leaky_relu(self._modulate('film_up0', x, embedding))
    x = x + leaky_relu(Conv(half, dtype=dtype, name='refine0')(x))
    flow = bilinear_upsample(warped['flow'], 2)
    flow += 0.1 * Conv(
      2, kernel_init=nn.initializers.normal(1e-3), name='flow'
    )(x)
    x = leaky_relu(self._up('up1', x, quarter))
    portrait = _warp_image(image, flow)
    patches = pixel_unshuffle(portrait - 0.5, image.shape[1] // x.shape[1])
    x = jnp.concatenate([x, patches], -1)
    x = leaky_relu(Conv(quarter, dtype=dtype, name='merge1')(x))
    x = x + leaky_relu(Conv(quarter, dtype=dtype, name='refine1')(x))
    x = Conv(
      4 * cfg.upscale**2,
      kernel_init=nn.initializers.normal(0.02),
      dtype=dtype,
      name='conv_img',
    )(x)
    x = pixel_shuffle(x, cfg.upscale).astype(jnp.float32)
    # The bias makes "trust the warp" the first guess.
    mask = nn.sigmoid(x[..., 3:] + 2.0)
    painted = nn.sigmoid(4 * x[..., :3])
    residual = binomial_blur((1 - mask) * (painted - portrait))
    return {
      'image': portrait + residual,
      'warped': portrait,
      'residual': residual,
      'flow': flow,
    }

  def _embed(self, kp_source: jax.Array, kp_driving: jax.Array) -> jax.Array:
    """Exact positions as numbers: openings smaller than a cell count."""
    shift = 10.0 * (kp_driving - kp_source)
    x = jnp.concatenate([kp_driving, shift], -1)
    x = x.reshape(x.shape[0], -1)
    x = nn.silu(nn.Dense(2 * self.cfg.kp_hidden, name='embed1')(x))
    return nn.silu(nn.Dense(self.cfg.kp_hidden, name='embed2')(x))

  def _modulate(self, name: str, x: jax.Array, z: jax.Array) -> jax.Array:
    init = nn.initializers.normal(0.01)
    z = nn.Dense(2 * x.shape[-1], kernel_init=init, name=name)(z)
    scale, shift = jnp.split(z[:, None, None].astype(x.dtype), 2, -1)
    return x * (1 + scale) + shift

  def _up(self, name: str, x: jax.Array, features: int) -> jax.Array:
    x = Conv(4 * features, dtype=self.dtype, name=name)(x)
    return pixel_shuffle(x, 2)

  def _heatmaps(self, kp: jax.Array, size: int) -> jax.Array:
    axis, variance = center_axis(size), self.cfg.kp_variance
    return jnp.einsum(
      'bky,bkx->byxk',
      gaussian_1d(kp[..., 1], axis, variance),
      gaussian_1d(kp[..., 0], axis, variance),
    )


def _warp_image(image: jax.Array, flow: jax.Array) -> jax.Array:
  """Samples the portrait with an enlarged flow, edges replicated."""
  size = image.shape[1]
  grid = center_grid(size, size) + bilinear_upsample(
    flow, size // flow.shape[1]
  )
  return grid_sample(image, grid, border=True)
