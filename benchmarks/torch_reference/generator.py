"""Generator G: warped features -> picture, by SPADE blocks.

In: [B, 256, 64, 64]. Out: [B, 3, 512, 512] in [0, 1]. Source: SPADE (arXiv
1903.07291) in LivePortrait's arrangement (arXiv 2407.03168).
"""

from torch import Tensor, nn
import torch.nn.functional as F
from torch.nn.utils import spectral_norm

from benchmarks.torch_reference.blocks import upsample
from takin_jax.models.generator import GeneratorConfig

HIDDEN = 128


class Spade(nn.Module):
  """instance_norm(x) (1 + gamma(seg)) + beta(seg)."""

  def __init__(self, channels: int, seg_channels: int):
    super().__init__()
    self.param_free_norm = nn.InstanceNorm2d(channels)
    self.mlp_shared = nn.Sequential(
      nn.Conv2d(seg_channels, HIDDEN, 3, padding=1), nn.ReLU()
    )
    self.mlp_gamma = nn.Conv2d(HIDDEN, channels, 3, padding=1)
    self.mlp_beta = nn.Conv2d(HIDDEN, channels, 3, padding=1)

  def forward(self, x: Tensor, seg: Tensor) -> Tensor:
    if seg.shape[2:] != x.shape[2:]:
      seg = F.interpolate(seg, size=x.shape[2:])
    hidden = self.mlp_shared(seg)
    scale = 1 + self.mlp_gamma(hidden)
    return self.param_free_norm(x) * scale + self.mlp_beta(hidden)


class SpadeBlock(nn.Module):
  """Residual block; another width than the input's needs a shortcut."""

  def __init__(self, inputs: int, outputs: int, seg_channels: int):
    super().__init__()
    middle = min(inputs, outputs)
    self.conv_0 = spectral_norm(nn.Conv2d(inputs, middle, 3, padding=1))
    self.conv_1 = spectral_norm(nn.Conv2d(middle, outputs, 3, padding=1))
    self.norm_0 = Spade(inputs, seg_channels)
    self.norm_1 = Spade(middle, seg_channels)
    self.shortcut = inputs != outputs
    if self.shortcut:
      self.conv_s = spectral_norm(nn.Conv2d(inputs, outputs, 1, bias=False))
      self.norm_s = Spade(inputs, seg_channels)

  def forward(self, x: Tensor, seg: Tensor) -> Tensor:
    y = self.conv_0(F.leaky_relu(self.norm_0(x, seg), 0.2))
    y = self.conv_1(F.leaky_relu(self.norm_1(y, seg), 0.2))
    return y + (self.conv_s(self.norm_s(x, seg)) if self.shortcut else x)


class Generator(nn.Module):
  """G at the sizes of `cfg`; the published form only.

  Args:
    cfg: sizes.
    inputs: channels of the warped features.
  """

  def __init__(self, cfg: GeneratorConfig, inputs: int):
    super().__init__()
    self.cfg = cfg
    width = cfg.channels
    self.fc = nn.Conv2d(inputs, width, 3, padding=1)
    for i in range(cfg.middle_blocks):
      setattr(self, f'G_middle_{i}', SpadeBlock(width, width, inputs))
    for i, outputs in enumerate(cfg.up_channels):
      setattr(self, f'up_{i}', SpadeBlock(width, outputs, inputs))
      width = outputs
    conv = nn.Conv2d(width, 3 * cfg.upscale**2, 3, padding=1)
    whole = cfg.upscale == 1
    self.conv_img = (
      conv if whole else nn.Sequential(conv, nn.PixelShuffle(cfg.upscale))
    )

  def forward(self, feature: Tensor) -> Tensor:
    x = self.fc(feature)
    for i in range(self.cfg.middle_blocks):
      x = getattr(self, f'G_middle_{i}')(x, feature)
    for i in range(len(self.cfg.up_channels)):
      x = getattr(self, f'up_{i}')(upsample(x), feature)
    return self.conv_img(F.leaky_relu(x, 0.2)).float().sigmoid()
