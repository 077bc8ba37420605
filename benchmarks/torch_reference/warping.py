"""Warping module W: feature volume and two keypoint sets -> warped features.

In: [B, 32, 16, 64, 64] and [B, K, 3] keypoints. Out: [B, 256, 64, 64]. Source:
face-vid2vid (arXiv 2011.15126) as refined by LivePortrait (arXiv 2407.03168).
Keypoints, grids and sampling stay float32 in every compute type.
"""

import torch
from torch import Tensor, nn
import torch.nn.functional as F

from benchmarks.torch_reference.blocks import ConvBlock, upsample
from takin_jax.models.warping import WarpingConfig


def identity_grid(d: int, h: int, w: int, device: torch.device) -> Tensor:
  """Corner-aligned positions [D, H, W, 3], last axis (x, y, z)."""
  axes = [torch.linspace(-1, 1, n, device=device) for n in (d, h, w)]
  return torch.stack(torch.meshgrid(*axes, indexing='ij')[::-1], -1)


def sample(volume: Tensor, grid: Tensor) -> Tensor:
  """Trilinear interpolation, zeros outside, in float32."""
  out = F.grid_sample(volume.float(), grid, align_corners=False)
  return out.to(volume.dtype)


class Encoder(nn.Module):
  """Halves H and W at every block and keeps what every block got."""

  def __init__(self, widths: list[int]):
    super().__init__()
    self.down_blocks = nn.ModuleList(
      ConvBlock(3, a, b, pool=True)
      for a, b in zip(widths, widths[1:], strict=False)
    )

  def forward(self, x: Tensor) -> list[Tensor]:
    out = [x]
    for block in self.down_blocks:
      out.append(block(out[-1]))
    return out


class Decoder(nn.Module):
  """Doubles H and W at every block and joins the encoder's features."""

  def __init__(self, widths: list[int], ups: list[int]):
    super().__init__()
    blocks, channels = [], widths[-1]
    for width, skip in zip(ups, widths[-2::-1], strict=True):
      blocks.append(ConvBlock(3, channels, width))
      channels = width + skip
    self.up_blocks = nn.ModuleList(blocks)
    self.conv = nn.Conv3d(channels, channels, 3, padding=1)
    self.norm = nn.BatchNorm3d(channels)
    self.fusible = ('conv', 'norm')
    self.channels = channels

  def forward(self, features: list[Tensor]) -> Tensor:
    x = features.pop()
    for block in self.up_blocks:
      x = torch.cat([block(upsample(x)), features.pop()], 1)
    return F.relu(self.norm(self.conv(x)))


class Hourglass(nn.Module):
  """Encoder and decoder over [B, C, D, H, W]; D stays."""

  def __init__(self, channels: int, cfg: WarpingConfig):
    super().__init__()

    def width(level: float) -> int:
      return min(cfg.max_features, int(cfg.block_expansion * 2**level))

    n = cfg.num_blocks
    widths = [channels, *(width(i) for i in range(n))]
    self.encoder = Encoder(widths)
    self.decoder = Decoder(widths, [width(i - 1) for i in reversed(range(n))])

  def forward(self, x: Tensor) -> Tensor:
    return self.decoder(self.encoder(x))


class DenseMotion(nn.Module):
  """Which keypoint's shift every voxel follows, and what is occluded."""

  def __init__(self, cfg: WarpingConfig, volume: tuple[int, int], num_kp: int):
    super().__init__()
    channels, depth = volume
    self.variance = cfg.kp_variance
    self.compress = nn.Conv3d(channels, cfg.compress, 1)
    self.norm = nn.BatchNorm3d(cfg.compress)
    self.fusible = ('compress', 'norm')
    self.hourglass = Hourglass((num_kp + 1) * (cfg.compress + 1), cfg)
    width = self.hourglass.decoder.channels
    self.mask = nn.Conv3d(width, num_kp + 1, 7, padding=3)
    self.occlusion = nn.Conv2d(width * depth, 1, 7, padding=3)

  def forward(
    self, volume: Tensor, kp_source: Tensor, kp_driving: Tensor
  ) -> tuple[Tensor, Tensor]:
    """Deformation [B, D, H, W, 3] and occlusion [B, 1, H, W], float32."""
    small = F.relu(self.norm(self.compress(volume)))
    b, c, d, h, w = small.shape
    grid = identity_grid(d, h, w, volume.device)
    shift = F.pad(kp_source - kp_driving, (0, 0, 1, 0))  # background first
    motions = grid + shift[:, :, None, None, None]  # [B, K + 1, D, H, W, 3]
    k = motions.shape[1]
    repeated = small[:, None].expand(b, k, c, d, h, w).reshape(-1, c, d, h, w)
    deformed = sample(repeated, motions.flatten(0, 1)).unflatten(0, (b, k))
    heat = self._gaussian(grid, kp_driving) - self._gaussian(grid, kp_source)
    heat = F.pad(heat, (0, 0) * 3 + (1, 0))[:, :, None].to(small.dtype)
    x = self.hourglass(torch.cat([heat, deformed], 2).flatten(1, 2))
    mask = self.mask(x).float().softmax(1)
    deformation = (mask[..., None] * motions).sum(1)
    return deformation, self.occlusion(x.flatten(1, 2)).float().sigmoid()

  def _gaussian(self, grid: Tensor, kp: Tensor) -> Tensor:
    """Heat maps [B, K, D, H, W]."""
    distance = (grid - kp[:, :, None, None, None]).square().sum(-1)
    return torch.exp(-0.5 / self.variance * distance)


class WarpingModule(nn.Module):
  """W at the sizes of `cfg`; the published form only.

  Args:
    cfg: sizes.
    volume: channels and depth of the feature volume.
    num_kp: K.
  """

  def __init__(self, cfg: WarpingConfig, volume: tuple[int, int], num_kp: int):
    super().__init__()
    self.dense_motion_network = DenseMotion(cfg, volume, num_kp)
    out = cfg.out_channels
    self.third = ConvBlock(2, volume[0] * volume[1], out, slope=0.01)
    self.fourth = nn.Conv2d(out, out, 1)

  def forward(
    self, feature_3d: Tensor, kp_source: Tensor, kp_driving: Tensor
  ) -> dict[str, Tensor]:
    deformation, occlusion = self.dense_motion_network(
      feature_3d, kp_source, kp_driving
    )
    x = self.third(sample(feature_3d, deformation).flatten(1, 2))
    x = self.fourth(x) * occlusion.to(x.dtype)
    return {'occlusion_map': occlusion, 'deformation': deformation, 'out': x}
