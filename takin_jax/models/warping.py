"""Warping module W: feature volume and two keypoint sets -> warped features.

Each keypoint proposes the shift that carries its driving position back to its
source position; a dense mask mixes the proposals (and "stay") per cell.
Source: face-vid2vid (arXiv 2011.15126) as refined by LivePortrait; the
defaults are LivePortrait's sizes. `fold_depth` is the small form: depth folded
into channels, so that all convolutions are 2-D, and a 2-D flow for the layers
that follow.
"""

from dataclasses import dataclass

from flax import linen as nn
import jax
import jax.numpy as jnp

from takin_jax.nn.blocks import (
  Conv,
  ConvNormAct,
  group_norm,
  leaky_relu,
)
from takin_jax.nn.hourglass import Hourglass
from takin_jax.ops.grid_sample import (
  center_axis,
  center_grid,
  corner_grid,
  gaussian_1d,
  grid_sample,
  sample_shifted,
  shift_matrix,
)
from takin_jax.ops.resize import (
  bilinear_upsample,
  nearest_upsample,
)


@dataclass(frozen=True)
class WarpingConfig:
  """Sizes of the warping module; defaults are LivePortrait's.

  Attributes:
    compress: channels of the volume that estimates the motion.
    block_expansion: width of the first hourglass block.
    max_features: limit of the hourglass width.
    num_blocks: halvings in the hourglass.
    kp_variance: variance of the keypoint heat maps, squared [-1, 1] units.
    out_channels: channels of the warped feature map (3-D form).
    folded: batch norm is folded into the parameters, see `nn/folding.py`.
    fold_depth: the small 2-D form.
    widths: hourglass widths of the small form, at 1, 1/2 and 1/4 size.
  """

  compress: int = 4
  block_expansion: int = 64
  max_features: int = 1024
  num_blocks: int = 5
  kp_variance: float = 0.01
  out_channels: int = 256
  folded: bool = False
  fold_depth: bool = False
  widths: tuple[int, ...] = (48, 96, 128)


class WarpingModule(nn.Module):
  """W: warps the source's features to the driving keypoints.

  The call takes the appearance extractor's features and [B, K, 3] keypoints.
  It returns `feature` [B, h, w, C] and `occlusion` [B, h, w, 1]. The small
  form estimates the motion from the features `quiet`, if there are any, and
  also returns `flow` [B, h, w, 2] (offset to add to the identity grid)
  and the warped `skip`.
  """

  cfg: WarpingConfig
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(
    self,
    features: dict[str, jax.Array],
    kp_source: jax.Array,
    kp_driving: jax.Array,
    train: bool = False,
  ) -> dict[str, jax.Array]:
    volume = features['volume'].astype(self.dtype)
    args = (self.cfg, self.dtype)
    if not self.cfg.fold_depth:
      motion = DenseMotion(*args, name='dense_motion')
      dense = motion(volume, kp_source, kp_driving, train)
      return self._warp(volume, dense, train)
    motion = FoldedDenseMotion(*args, name='dense_motion')
    seen = features.get('quiet', volume).astype(self.dtype)
    return _warp_folded(
      volume, features.get('skip'), *motion(seen, kp_source, kp_driving)
    )

  def _warp(
    self, volume: jax.Array, dense: tuple[jax.Array, jax.Array], train: bool
  ) -> dict[str, jax.Array]:
    deformation, occlusion = dense
    x = _depth_to_channels(grid_sample(volume, deformation))
    cfg, dtype = self.cfg, self.dtype
    x = ConvNormAct(
      cfg.out_channels,
      folded=cfg.folded,
      slope=0.01,
      dtype=dtype,
      name='third',
    )(x, train)
    x = Conv(cfg.out_channels, 1, dtype=dtype, name='fourth')(x)
    return {
      'feature': x * occlusion.astype(self.dtype),
      'occlusion': occlusion,
      'deformation': deformation,
    }


def _depth_to_channels(x: jax.Array) -> jax.Array:
  """[B, D, H, W, C] -> [B, H, W, C D], channel-major as torch flattens it."""
  b, d, h, w, c = x.shape
  return x.transpose(0, 2, 3, 4, 1).reshape(b, h, w, c * d)


class DenseMotion(nn.Module):
  """Dense motion and occlusion with 3-D convolutions, at full size."""

  cfg: WarpingConfig
  dtype: jnp.dtype

  @nn.compact
  def __call__(
    self,
    volume: jax.Array,
    kp_source: jax.Array,
    kp_driving: jax.Array,
    train: bool = False,
  ) -> tuple[jax.Array, jax.Array]:
    cfg, dtype = self.cfg, self.dtype
    b, d, h, w, _ = volume.shape
    k = kp_source.shape[1]
    small = ConvNormAct(
      cfg.compress,
      1,
      ndim=3,
      folded=cfg.folded,
      dtype=dtype,
      name='compress',
    )(volume, train)
    shift = jnp.pad(kp_source - kp_driving, ((0, 0), (1, 0), (0, 0)))
    deformed = sample_shifted(small, shift)  # [B, K + 1, D, H, W, compress]

    def heat(kp: jax.Array) -> jax.Array:
      fields = [
        gaussian_1d(kp[..., i], jnp.linspace(-1, 1, n), cfg.kp_variance)
        for i, n in enumerate((w, h, d))
      ]
      return jnp.einsum('bkx,bky,bkz->bkzyx', *fields)

    heatmaps = heat(kp_driving) - heat(kp_source)
    heatmaps = jnp.pad(heatmaps, [(0, 0), (1, 0)] + [(0, 0)] * 3)
    x = jnp.concatenate([heatmaps[..., None].astype(dtype), deformed], -1)
    x = x.transpose(0, 2, 3, 4, 1, 5).reshape(b, d, h, w, -1)
    x = Hourglass(
      cfg.block_expansion,
      cfg.num_blocks,
      cfg.max_features,
      cfg.folded,
      dtype,
      name='hourglass',
    )(x, train)
    mask = Conv(k + 1, 7, ndim=3, dtype=dtype, name='mask')(x)
    mask = nn.softmax(mask.astype(jnp.float32))
    # The mask sums to one, so the identity grids add up to themselves.
    moves = jnp.einsum('bdhwk,bkc->bdhwc', mask, shift)
    deformation = corner_grid(d, h, w) + moves
    occlusion = Conv(1, 7, over_depth=True, dtype=dtype, name='occlusion')(x)
    return deformation, nn.sigmoid(occlusion.astype(jnp.float32))


class FoldedDenseMotion(nn.Module):
  """Dense motion with depth folded into channels: 2-D convolutions only.

  Returns the shift of every voxel [B, D, H, W, 3], its depth-weighted mean
  [B, H, W, 2], two occlusion maps (volume, skip) [B, H, W, 2] and the last
  hourglass features [B, H, W, C].
  """

  cfg: WarpingConfig
  dtype: jnp.dtype

  @nn.compact
  def __call__(
    self, volume: jax.Array, kp_source: jax.Array, kp_driving: jax.Array
  ) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    cfg = self.cfg
    b, d, h, w, _ = volume.shape
    k = kp_source.shape[1]
    small = Conv(cfg.compress, 1, dtype=self.dtype, name='compress')(
      _depth_to_channels(volume)
    )
    shift = kp_source - kp_driving
    moved = jnp.einsum(
      'bkyi,bkxj,bijc->byxkc',
      shift_matrix(shift[..., 1], h),
      shift_matrix(shift[..., 0], w),
      small,
      optimize=[(0, 2), (0, 1)],
    )
    heat = self._heat(kp_driving, d, h, w) - self._heat(kp_source, d, h, w)
    x = jnp.concatenate(
      [heat.reshape(b, h, w, -1), moved.reshape(b, h, w, -1), small], -1
    )
    x = self._hourglass(x)
    out = Conv(
      (k + 1) * d + d + 2,
      kernel_init=nn.initializers.normal(0.01),
      dtype=self.dtype,
      name='mask',
    )(x).astype(jnp.float32)
    mask, depth_weight, occlusion = jnp.split(
      out, [(k + 1) * d, (k + 1) * d + d], -1
    )
    mask = nn.softmax(mask.reshape(b, h, w, k + 1, d), 3)[..., 1:, :]
    offset = jnp.einsum('byxkd,bkc->bdyxc', mask, shift)
    flow = jnp.einsum(
      'byxd,bdyxc->byxc', nn.softmax(depth_weight), offset[..., :2]
    )
    # The bias makes "visible" the first guess.
    return offset, flow, nn.sigmoid(occlusion + 2.0), x

  def _heat(self, kp: jax.Array, d: int, h: int, w: int) -> jax.Array:
    variance = self.cfg.kp_variance
    return jnp.einsum(
      'bkd,bky,bkx->byxkd',
      # Faces fill the middle of the depth range; few cells need wide peaks.
      gaussian_1d(kp[..., 2], 0.8 * center_axis(d), 4 * variance),
      gaussian_1d(kp[..., 1], center_axis(h), variance),
      gaussian_1d(kp[..., 0], center_axis(w), variance),
    )

  def _hourglass(self, x: jax.Array) -> jax.Array:
    def block(name: str, y: jax.Array, width: int, stride: int = 1):
      y = Conv(width, 3, stride, dtype=self.dtype, name=name)(y)
      return leaky_relu(group_norm(y))

    full, half, quarter = self.cfg.widths
    x1 = block('down0', x, full)
    x2 = block('down1', x1, half, 2)
    x = block('down2', x2, quarter, 2)
    x = block('middle', x, quarter)
    x = jnp.concatenate([nearest_upsample(x, 2), x2], -1)
    x = block('up1', x, (full + half) // 2)
    x = jnp.concatenate([nearest_upsample(x, 2), x1], -1)
    return block('up0', x, (full + half) // 2)


def _warp_folded(
  volume: jax.Array,
  skip: jax.Array | None,
  offset: jax.Array,
  flow: jax.Array,
  occlusion: jax.Array,
  hidden: jax.Array,
) -> dict[str, jax.Array]:
  warped = grid_sample(volume, center_grid(*volume.shape[1:4]) + offset)
  feature = _depth_to_channels(warped) * occlusion[..., :1]
  out = {
    'feature': jnp.concatenate([feature, hidden], -1),
    'occlusion': occlusion[..., :1],
    'flow': flow,
  }
  if skip is not None:
    factor = skip.shape[1] // flow.shape[1]
    grid = center_grid(*skip.shape[1:3]) + bilinear_upsample(flow, factor)
    out['skip'] = grid_sample(skip, grid, border=True) * nearest_upsample(
      occlusion[..., 1:], factor
    )
  return out
