"""Appearance extractor F: portrait -> 3-D feature volume.

In: [B, 3, 256, 256] in [0, 1]. Out: [B, 32, 16, 64, 64]. Source: LivePortrait
(arXiv 2407.03168), face-vid2vid (arXiv 2011.15126).
"""

from collections import OrderedDict
import itertools

from torch import Tensor, nn

from benchmarks.torch_reference.blocks import ConvBlock, ResBlock3d
from takin_jax.models.appearance import AppearanceConfig


class AppearanceExtractor(nn.Module):
  """F at the sizes of `cfg`; the published form only."""

  def __init__(self, cfg: AppearanceConfig):
    super().__init__()
    self.cfg = cfg
    widths, c = cfg.channels, cfg.volume_channels
    self.first = ConvBlock(2, 3, widths[0])
    self.down_blocks = nn.ModuleList(
      ConvBlock(2, a, b, pool=True) for a, b in itertools.pairwise(widths)
    )
    self.second = nn.Conv2d(widths[-1], c * cfg.depth, 1)
    self.resblocks_3d = nn.Sequential(
      OrderedDict((f'3dr{i}', ResBlock3d(c)) for i in range(cfg.blocks_3d))
    )

  def forward(self, image: Tensor) -> Tensor:
    x = self.first(image)
    for block in self.down_blocks:
      x = block(x)
    x = self.second(x)
    x = x.unflatten(1, (self.cfg.volume_channels, self.cfg.depth))
    return self.resblocks_3d(x)
