"""The small forms of W and G: what is computed for every frame.

Channel-first; layers have the names of our Flax modules, see `weights.py`.
Keypoints, grids and sampling stay float32 in every compute type.
"""

import torch
from torch import Tensor, nn
import torch.nn.functional as F

from benchmarks.torch_reference.nano_source import (
  ResBlock,
  act,
  center_axis,
  conv,
  gaussian,
  norm_act,
  to_cells,
)
from takin_jax.models.appearance import AppearanceConfig
from takin_jax.models.generator import GeneratorConfig
from takin_jax.models.warping import WarpingConfig


def center_grid(*sizes: int, device: torch.device) -> Tensor:
  """Identity grid [*sizes, n], last axis in (x, y[, z]) order."""
  axes = [center_axis(n, device) for n in sizes]
  return torch.stack(torch.meshgrid(*axes, indexing='ij')[::-1], -1)


def enlarge(x: Tensor, factor: int) -> Tensor:
  """Bilinear, [B, C, H, W]."""
  return F.interpolate(
    x, scale_factor=factor, mode='bilinear', align_corners=False
  )


def warp(image: Tensor, flow: Tensor) -> Tensor:
  """Samples a map with a coarser flow [B, 2, h, w], edges replicated."""
  flow = enlarge(flow, image.shape[-1] // flow.shape[-1])
  grid = center_grid(*image.shape[2:], device=image.device)
  grid = grid + flow.permute(0, 2, 3, 1)
  out = F.grid_sample(
    image.float(), grid, padding_mode='border', align_corners=False
  )
  return out.to(image.dtype)


class DenseMotion(nn.Module):
  """Shifts of every voxel, their mean over depth, occlusion, features."""

  def __init__(self, cfg: WarpingConfig, channels: int, depth: int, k: int):
    super().__init__()
    self.cfg, self.depth, self.num_kp = cfg, depth, k
    c = cfg.compress
    self.compress = conv(channels * depth, c, 1)
    full, half, quarter = cfg.widths
    out = (full + half) // 2
    self.down0 = conv(k * depth + k * c + c, full)
    self.down1 = conv(full, half, stride=2)
    self.down2 = conv(half, quarter, stride=2)
    self.middle = conv(quarter, quarter)
    self.up1 = conv(quarter + half, out)
    self.up0 = conv(out + full, out)
    self.mask = conv(out, (k + 1) * depth + depth + 2)
    self.width = out

  def forward(
    self, volume: Tensor, kp_source: Tensor, kp_driving: Tensor
  ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    small = self.compress(volume.flatten(1, 2))
    d, k = self.depth, self.num_kp
    shift = kp_source - kp_driving
    size = volume.shape[2:]
    heat = self._heat(kp_driving, size) - self._heat(kp_source, size)
    moved = self._moved(small, shift)
    parts = [heat.flatten(1, 2).to(small.dtype), moved.flatten(1, 2), small]
    x = self._hourglass(torch.cat(parts, 1))
    mask, depth_weight, occlusion = (
      self.mask(x).float().split(((k + 1) * d, d, 2), 1)
    )
    mask = mask.unflatten(1, (k + 1, d)).softmax(1)[:, 1:]
    offset = torch.einsum('bkdyx,bkc->bcdyx', mask, shift)
    weight = depth_weight.softmax(1)[:, None]
    flow = (weight * offset[:, :2]).sum(2)
    return offset, flow, (occlusion + 2.0).sigmoid(), x

  def _heat(self, kp: Tensor, size: torch.Size) -> Tensor:
    """Heat maps [B, K, D, H, W]."""
    z, y, x = (center_axis(n, kp.device) for n in size)
    variance = self.cfg.kp_variance
    fields = (
      gaussian(kp[..., 2], 0.8 * z, 4 * variance)[:, :, :, None, None],
      gaussian(kp[..., 1], y, variance)[:, :, None, :, None],
      gaussian(kp[..., 0], x, variance)[:, :, None, None],
    )
    return fields[0] * fields[1] * fields[2]

  def _moved(self, small: Tensor, shift: Tensor) -> Tensor:
    """The map under every keypoint's shift: [B, K, C, H, W]."""
    h, w = small.shape[2:]
    rows = _shift_matrix(shift[..., 1], h).to(small.dtype)[:, :, None]
    columns = _shift_matrix(shift[..., 0], w).to(small.dtype)[:, :, None]
    return rows @ small[:, None] @ columns.mT

  def _hourglass(self, x: Tensor) -> Tensor:
    x1 = norm_act(self.down0(x))
    x2 = norm_act(self.down1(x1))
    x = norm_act(self.down2(x2))
    x = F.interpolate(norm_act(self.middle(x)), scale_factor=2)
    x = norm_act(self.up1(torch.cat([x, x2], 1)))
    x = F.interpolate(x, scale_factor=2)
    return norm_act(self.up0(torch.cat([x, x1], 1)))


def _binomial_blur(x: Tensor) -> Tensor:
  """[1 2 1] / 4 both ways, edges replicated: [B, C, H, W]."""
  weights = torch.tensor([0.25, 0.5, 0.25], dtype=x.dtype, device=x.device)
  kernel = torch.outer(weights, weights).expand(x.shape[1], 1, 3, 3)
  return F.conv2d(
    F.pad(x, (1, 1, 1, 1), 'replicate'), kernel, groups=x.shape[1]
  )


def _shift_matrix(shift: Tensor, n: int) -> Tensor:
  """Matrices [..., n, n] that sample n cells at x + shift, edges kept."""
  cells = torch.arange(n, dtype=torch.float32, device=shift.device)
  position = (cells + shift[..., None] * (n / 2)).clamp(0.0, n - 1.0)
  return (1.0 - (position[..., None] - cells).abs()).clamp(min=0.0)


class Warping(nn.Module):
  """W: (volume, skip, keypoints) -> (feature, flow, warped skip)."""

  def __init__(self, cfg: WarpingConfig, f: AppearanceConfig, num_kp: int):
    super().__init__()
    args = (f.volume_channels, f.depth, num_kp)
    self.dense_motion = DenseMotion(cfg, *args)

  def forward(
    self, volume: Tensor, skip: Tensor, kp_source: Tensor, kp_driving: Tensor
  ) -> tuple[Tensor, Tensor, Tensor]:
    offset, flow, occlusion, hidden = self.dense_motion(
      volume, kp_source, kp_driving
    )
    grid = center_grid(*volume.shape[2:], device=volume.device)
    grid = grid + offset.permute(0, 2, 3, 4, 1)
    warped = F.grid_sample(volume.float(), grid, align_corners=False)
    feature = (warped.flatten(1, 2) * occlusion[:, :1]).to(volume.dtype)
    factor = skip.shape[-1] // flow.shape[-1]
    seen = F.interpolate(occlusion[:, 1:], scale_factor=factor)
    skip = warp(skip, flow) * seen.to(skip.dtype)
    return torch.cat([feature, hidden], 1), flow, skip


class Decoder(nn.Module):
  """Three doublings, a residual flow, and the blend with the portrait."""

  def __init__(
    self,
    cfg: GeneratorConfig,
    f: AppearanceConfig,
    w: WarpingConfig,
    num_kp: int,
  ):
    super().__init__()
    self.cfg = cfg
    width, (half, quarter) = cfg.channels, cfg.up_channels
    inputs = f.volume_channels * f.depth + (w.widths[0] + w.widths[1]) // 2
    self.fc = conv(inputs, width)
    self.embed1 = nn.Linear(6 * num_kp, 2 * cfg.kp_hidden)
    self.embed2 = nn.Linear(2 * cfg.kp_hidden, cfg.kp_hidden)
    for i in range(cfg.middle_blocks):
      setattr(self, f'film{i}', nn.Linear(cfg.kp_hidden, 2 * width))
      setattr(self, f'middle{i}', ResBlock(width))
    self.up0, self.up1 = conv(width, 4 * half), conv(half, 4 * quarter)
    merged = half + f.skip_channels + num_kp
    self.spare = -merged % 8  # the weights have so many unused channels
    self.merge0, self.refine0 = (
      conv(merged + self.spare, half),
      conv(half, half),
    )
    self.film_up0 = nn.Linear(cfg.kp_hidden, 2 * half)
    self.flow = conv(half, 2)
    # A cell of the last map holds upscale x upscale pixels of the portrait.
    self.merge1 = conv(quarter + 3 * cfg.upscale**2, quarter)
    self.refine1 = conv(quarter, quarter)
    self.conv_img = conv(quarter, 4 * cfg.upscale**2)

  def forward(
    self,
    feature: Tensor,
    flow: Tensor,
    skip: Tensor,
    image: Tensor,
    kp_source: Tensor,
    kp_driving: Tensor,
  ) -> tuple[Tensor, Tensor]:
    """The frame and the warped portrait [B, 3, H, W] in [0, 1], float32."""
    dtype, cfg = feature.dtype, self.cfg
    z = torch.cat([kp_driving, 10.0 * (kp_driving - kp_source)], -1)
    z = F.silu(self.embed1(z.flatten(1).to(dtype)))
    z = F.silu(self.embed2(z))
    x = self.fc(feature)
    for i in range(cfg.middle_blocks):
      x = _modulate(x, getattr(self, f'film{i}')(z))
      x = getattr(self, f'middle{i}')(x)
    x = act(F.pixel_shuffle(self.up0(norm_act(x)), 2))
    fine = self._heatmaps(kp_driving, x.shape[-1]).to(dtype)
    x = F.pad(torch.cat([x, skip, fine], 1), (0, 0, 0, 0, 0, self.spare))
    x = act(_modulate(self.merge0(x), self.film_up0(z)))
    x = x + act(self.refine0(x))
    flow = enlarge(flow, 2) + 0.1 * self.flow(x).float()
    x = act(F.pixel_shuffle(self.up1(x), 2))
    portrait = warp(image, flow)
    cells = to_cells(portrait - 0.5, image.shape[-1] // x.shape[-1])
    x = act(self.merge1(torch.cat([x, cells.to(dtype)], 1)))
    x = self.conv_img(x + act(self.refine1(x)))
    x = F.pixel_shuffle(x, cfg.upscale).float()
    mask = (x[:, 3:] + 2.0).sigmoid()
    painted = (4 * x[:, :3]).sigmoid()
    residual = _binomial_blur((1 - mask) * (painted - portrait))
    return portrait + residual, portrait

  def _heatmaps(self, kp: Tensor, size: int) -> Tensor:
    axis = center_axis(size, kp.device)
    x, y = (gaussian(kp[..., i], axis, self.cfg.kp_variance) for i in (0, 1))
    return y[..., None] * x[:, :, None]


def _modulate(x: Tensor, z: Tensor) -> Tensor:
  scale, shift = z[..., None, None].chunk(2, 1)
  return torch.addcmul(shift, x, 1 + scale)


class Blend(nn.Module):
  """G: the small form, one `decoder`."""

  def __init__(
    self,
    cfg: GeneratorConfig,
    f: AppearanceConfig,
    w: WarpingConfig,
    num_kp: int,
  ):
    super().__init__()
    self.decoder = Decoder(cfg, f, w, num_kp)

  def forward(self, *args: Tensor) -> Tensor:
    return self.decoder(*args)[0]
