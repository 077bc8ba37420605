"""Motion extractor M: picture -> canonical keypoints and motion.

In: [B, 3, 256, 256] in [0, 1]. Out: the seven heads by name. Source: ConvNeXt
V2 (arXiv 2301.00808) with LivePortrait's heads (arXiv 2407.03168).
"""

import torch
from torch import Tensor, nn
import torch.nn.functional as F

from takin_jax.models.motion import MotionConfig

ANGLES = ('pitch', 'yaw', 'roll')


class LayerNorm2d(nn.LayerNorm):
  """Layer norm over the channels of [B, C, H, W]."""

  def forward(self, x: Tensor) -> Tensor:
    return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class GlobalResponse(nn.Module):
  """gamma x n / mean_c(n) + beta + x, n the L2 norm over H, W."""

  def __init__(self, dim: int):
    super().__init__()
    self.gamma = nn.Parameter(torch.zeros(1, 1, 1, dim))
    self.beta = nn.Parameter(torch.zeros(1, 1, 1, dim))

  def forward(self, x: Tensor) -> Tensor:
    norm = torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True)
    norm = norm / (norm.mean(-1, keepdim=True) + 1e-6)
    return torch.addcmul(self.beta + x, self.gamma * norm, x)


class Block(nn.Module):
  """Depthwise 7x7, layer norm, gated MLP of four times the width."""

  def __init__(self, dim: int):
    super().__init__()
    self.dwconv = nn.Conv2d(dim, dim, 7, padding=3, groups=dim)
    self.norm = nn.LayerNorm(dim, eps=1e-6)
    self.pwconv1 = nn.Linear(dim, 4 * dim)
    self.grn = GlobalResponse(4 * dim)
    self.pwconv2 = nn.Linear(4 * dim, dim)

  def forward(self, x: Tensor) -> Tensor:
    y = self.dwconv(x).permute(0, 2, 3, 1)
    y = self.grn(F.gelu(self.pwconv1(self.norm(y))))
    return x + self.pwconv2(y).permute(0, 3, 1, 2)


class ConvNeXt(nn.Module):
  """The backbone and the seven linear heads."""

  def __init__(self, cfg: MotionConfig):
    super().__init__()
    dims = cfg.dims
    stem = nn.Sequential(
      nn.Conv2d(3, dims[0], 4, 4), LayerNorm2d(dims[0], eps=1e-6)
    )
    self.downsample_layers = nn.ModuleList([stem])
    for a, b in zip(dims, dims[1:], strict=False):
      self.downsample_layers.append(
        nn.Sequential(LayerNorm2d(a, eps=1e-6), nn.Conv2d(a, b, 2, 2))
      )
    self.stages = nn.ModuleList(
      nn.Sequential(*(Block(dim) for _ in range(depth)))
      for dim, depth in zip(dims, cfg.depths, strict=True)
    )
    self.norm = nn.LayerNorm(dims[-1], eps=1e-6)
    sizes = dict(kp=3 * cfg.num_kp, scale=1, t=3, exp=3 * cfg.num_kp)
    self.heads = [*sizes, *ANGLES]
    for name in self.heads:
      head = nn.Linear(dims[-1], sizes.get(name, cfg.num_bins))
      setattr(self, f'fc_{name}', head)

  def forward(self, x: Tensor) -> dict[str, Tensor]:
    for down, stage in zip(self.downsample_layers, self.stages, strict=True):
      x = stage(down(x))
    x = self.norm(x.mean((2, 3)))
    return {name: getattr(self, f'fc_{name}')(x) for name in self.heads}


class MotionExtractor(nn.Module):
  """M at the sizes of `cfg`; the published form only."""

  def __init__(self, cfg: MotionConfig):
    super().__init__()
    self.detector = ConvNeXt(cfg)

  def forward(self, image: Tensor) -> dict[str, Tensor]:
    return self.detector(image)


def refine(heads: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
  """Heads as numbers: the head angles are read off bins of 3 degrees.

  Args:
    heads: what M gives: `kp` [B, 3K], `exp`, `scale`, `t`, and logits.

  Returns:
    Canonical keypoints [B, K, 3] and the motion vector [B, 3K + 7] (exp,
    scale, t, pitch, yaw, roll in degrees), float32.
  """
  heads = {name: x.float() for name, x in heads.items()}
  logits = torch.stack([heads[name] for name in ANGLES], 1)
  bins = torch.arange(
    logits.shape[-1], dtype=logits.dtype, device=logits.device
  )
  pose_deg = 3.0 * logits.softmax(-1) @ bins - 97.5
  numbers = (heads['exp'], heads['scale'], heads['t'], pose_deg)
  return heads['kp'].unflatten(1, (-1, 3)), torch.cat(numbers, 1)
