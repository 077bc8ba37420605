"""The small forms of F and M: what is computed from the portrait.

Channel-first; layers have the names of our Flax modules, see `weights.py`.
"""

import torch
from torch import Tensor, nn
import torch.nn.functional as F

from benchmarks.torch_reference.motion import ANGLES
from takin_jax.models.appearance import AppearanceConfig
from takin_jax.models.motion import MotionConfig

GROUPS = 8
SLOPE = 0.2


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1):
  """Convolution of [B, C, H, W] with zeros around."""
  return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)


def act(x: Tensor) -> Tensor:
  return F.leaky_relu(x, SLOPE)


def norm_act(x: Tensor) -> Tensor:
  """Group norm without parameters, leaky ReLU."""
  return F.leaky_relu(F.group_norm(x, GROUPS), SLOPE)


class ResBlock(nn.Module):
  """x + conv(act(norm(conv(act(norm(x))))))."""

  def __init__(self, channels: int):
    super().__init__()
    self.conv1 = conv(channels, channels)
    self.conv2 = conv(channels, channels)

  def forward(self, x: Tensor) -> Tensor:
    return x + self.conv2(norm_act(self.conv1(norm_act(x))))


class Appearance(nn.Module):
  """F: [B, 3, H, W] -> volume [B, C, D, h, w] and skip [B, S, 2h, 2w]."""

  def __init__(self, cfg: AppearanceConfig):
    super().__init__()
    self.cfg = cfg
    widths = cfg.channels
    self.first = conv(3 * cfg.patch**2, widths[0])
    for i, (a, b) in enumerate(zip(widths, widths[1:], strict=False)):
      setattr(self, f'down{i}', conv(a, b, stride=2))
    self.fine = conv(widths[-2], widths[-2])
    self.skip = conv(widths[-2], cfg.skip_channels, 1)
    for i in range(cfg.blocks_2d):
      setattr(self, f'res2d{i}', ResBlock(widths[-1]))
    self.second = conv(widths[-1], cfg.volume_channels * cfg.depth, 1)

  def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
    cfg = self.cfg
    x = F.avg_pool2d(image, image.shape[-1] // cfg.input_size) - 0.5
    x = act(self.first(to_cells(x, cfg.patch)))
    downs = len(cfg.channels) - 1
    for i in range(downs):
      if i == downs - 1:
        skip = self.skip(act(self.fine(x)))
      x = act(getattr(self, f'down{i}')(x))
    for i in range(cfg.blocks_2d):
      x = getattr(self, f'res2d{i}')(x)
    x = self.second(act(x))
    return x.unflatten(1, (cfg.volume_channels, cfg.depth)), skip


class Points(nn.Module):
  """[B, 3, S, S] -> [B, hidden]: heat-map positions and pooled features."""

  def __init__(self, cfg: MotionConfig):
    super().__init__()
    w2, w4, w8, w16 = cfg.widths
    self.down2 = conv(12, w2)
    self.down4, self.res4 = conv(w2, w4, stride=2), ResBlock(w4)
    self.down8 = conv(w4, w8, stride=2)
    self.down16 = conv(w8, w16, stride=2)
    for i in range(2):
      setattr(self, f'res8_{i}', ResBlock(w8))
      setattr(self, f'res16_{i}', ResBlock(w16))
    self.reduce8, self.up8 = conv(w16, w4, 1), conv(w4 + w8, w8)
    self.reduce4, self.up4 = conv(w8, w4, 1), conv(w4 + w4, w4)
    self.heatmaps = conv(w4, cfg.num_points, 1)
    width = 2 * cfg.num_points + w16
    self.dense1 = nn.Linear(width, cfg.hidden)
    self.dense2 = nn.Linear(cfg.hidden, cfg.hidden)
    self.width = width + cfg.hidden

  def forward(self, x: Tensor) -> Tensor:
    x = act(self.down2(to_cells(x, 2)))
    quarter = self.res4(self.down4(x))
    eighth = self.res8_1(self.res8_0(self.down8(act(quarter))))
    x = self.res16_1(self.res16_0(self.down16(act(eighth))))
    x = norm_act(x)
    pooled = x.mean((2, 3))
    for name, skip in (('8', eighth), ('4', quarter)):
      x = F.interpolate(getattr(self, f'reduce{name}')(x), scale_factor=2)
      x = norm_act(getattr(self, f'up{name}')(torch.cat([x, skip], 1)))
    x = self._positions(self.heatmaps(x)).to(pooled.dtype)
    x = torch.cat([x, pooled], 1)
    wide = F.silu(self.dense1(x))
    wide = wide + F.silu(self.dense2(wide))
    return torch.cat([wide, x], 1)

  def _positions(self, logits: Tensor) -> Tensor:
    """Expected (x, y) of every heat map: [B, P, h, w] -> [B, 2P]."""
    h, w = logits.shape[2:]
    weights = logits.float().flatten(2).softmax(-1).unflatten(2, (h, w))
    axes = center_axis(w, logits.device), center_axis(h, logits.device)
    x, y = (weights.sum(2) @ axes[0], weights.sum(3) @ axes[1])
    return torch.stack([x, y], -1).flatten(1)


class Motion(nn.Module):
  """M: [B, 3, H, W] -> the heads by name, as the published form."""

  def __init__(self, cfg: MotionConfig):
    super().__init__()
    self.cfg = cfg
    self.points = Points(cfg)
    sizes = dict(kp=3 * cfg.num_kp, scale=1, t=3, exp=3 * cfg.num_kp)
    self.heads = [*sizes, *ANGLES]
    for name in self.heads:
      head = nn.Linear(self.points.width, sizes.get(name, cfg.num_bins))
      setattr(self, f'fc_{name}', head)

  def forward(self, image: Tensor) -> dict[str, Tensor]:
    x = F.avg_pool2d(image, image.shape[-1] // self.cfg.input_size)
    x = self.points(x - 0.5)
    return {name: getattr(self, f'fc_{name}')(x) for name in self.heads}


def to_cells(x: Tensor, size: int) -> Tensor:
  """Patches into channels, the colour innermost: [B, C, H, W] -> 1 / size."""
  x = x.unflatten(3, (-1, size)).unflatten(2, (-1, size))
  return x.permute(0, 3, 5, 1, 2, 4).flatten(1, 3)


def center_axis(n: int, device: torch.device) -> Tensor:
  """Pixel centres of n cells in [-1, 1]."""
  return (2.0 * torch.arange(n, device=device) + 1.0) / n - 1.0


def gaussian(positions: Tensor, axis: Tensor, variance: float) -> Tensor:
  """One factor of a separable heat map: [...] -> [..., n]."""
  return torch.exp(-0.5 / variance * (axis - positions[..., None]).square())
