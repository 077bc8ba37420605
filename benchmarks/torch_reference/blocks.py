"""Blocks of the renderer: convolution, norm, activation; channel-first.

`prepare` makes a loaded module ready for inference, as a PyTorch user would:
spectral norms removed, batch norms behind convolutions fused into them. What
can be fused says so: `fusible` names a convolution and the norm behind it.
"""

from typing import TypeVar

import torch
from torch import Tensor, nn
import torch.nn.functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

Module = TypeVar('Module', bound=nn.Module)

_CONV = {2: nn.Conv2d, 3: nn.Conv3d}
_BATCH_NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


class ConvBlock(nn.Module):
  """Convolution, batch norm, (leaky) ReLU, and mean pooling of H and W.

  Args:
    ndim: 2 for [B, C, H, W], 3 for [B, C, D, H, W].
    inputs: channels in.
    outputs: channels out.
    kernel: kernel size, odd.
    pool: halve H and W in the end.
    slope: of the activation for negative input.
  """

  def __init__(
    self,
    ndim: int,
    inputs: int,
    outputs: int,
    kernel: int = 3,
    pool: bool = False,
    slope: float = 0.0,
  ):
    super().__init__()
    self.conv = _CONV[ndim](inputs, outputs, kernel, padding=kernel // 2)
    self.norm = _BATCH_NORM[ndim](outputs)
    self.fusible = ('conv', 'norm')
    self.pool, self.slope = pool, slope

  def forward(self, x: Tensor) -> Tensor:
    x = self.norm(self.conv(x))
    x = F.leaky_relu(x, self.slope) if self.slope else F.relu(x)
    if not self.pool:
      return x
    return F.avg_pool2d(x, 2) if x.ndim == 4 else F.avg_pool3d(x, (1, 2, 2))


class ResBlock3d(nn.Module):
  """x + conv(relu(norm(conv(relu(norm(x)))))): [B, C, D, H, W]."""

  def __init__(self, channels: int):
    super().__init__()
    self.norm1 = nn.BatchNorm3d(channels)
    self.conv1 = nn.Conv3d(channels, channels, 3, padding=1)
    self.norm2 = nn.BatchNorm3d(channels)
    self.conv2 = nn.Conv3d(channels, channels, 3, padding=1)
    self.fusible = ('conv1', 'norm2')

  def forward(self, x: Tensor) -> Tensor:
    y = self.conv1(F.relu(self.norm1(x)))
    return x + self.conv2(F.relu(self.norm2(y)))


def upsample(x: Tensor) -> Tensor:
  """Repeats H and W twice: [B, C, H, W] or [B, C, D, H, W]."""
  return F.interpolate(x, scale_factor=2 if x.ndim == 4 else (1, 2, 2))


def prepare(module: Module) -> Module:
  """Ready for inference: eval mode, no spectral norm, fused batch norms.

  Changes the module; take its `state_dict()` before.
  """
  module.eval()
  for part in module.modules():
    if hasattr(part, 'weight_orig'):
      nn.utils.remove_spectral_norm(part)
    if hasattr(part, 'fusible'):
      conv, norm = (getattr(part, name) for name in part.fusible)
      setattr(part, part.fusible[0], fuse_conv_bn_eval(conv, norm))
      setattr(part, part.fusible[1], nn.Identity())
      del part.fusible
  return module.requires_grad_(False)


@torch.no_grad()
def randomize(module: Module, seed: int = 0) -> Module:
  """Random weights under which all activations keep a sensible size.

  Every bias, gain and running statistic differs from its neutral value, so
  that a side which leaves one out is found. Spectral norm vectors are what
  training would have: those of the largest singular value.
  """
  torch.manual_seed(seed)
  for part in module.modules():
    norm = 'Norm' in type(part).__name__ or 'Response' in type(part).__name__
    for name, x in part.named_parameters(recurse=False):
      if name == 'bias' or name == 'beta':
        x.normal_(0.0, 0.05)
      elif norm:
        x.normal_(0.0 if name == 'gamma' else 1.0, 0.1)
      else:
        x.normal_(0.0, (1.4 / x[0].numel()) ** 0.5)
    for name, x in part.named_buffers(recurse=False):
      if name == 'running_mean':
        x.normal_(0.0, 0.1)
      elif name == 'running_var':
        x.uniform_(0.7, 1.4)
    if hasattr(part, 'weight_orig'):
      _power_iteration(part)
  return module


def _power_iteration(conv: nn.Module, steps: int = 20) -> None:
  matrix = conv.weight_orig.flatten(1)
  u = conv.weight_u
  for _ in range(steps):
    v = F.normalize(matrix.T @ u, dim=0)
    u = F.normalize(matrix @ v, dim=0)
  conv.weight_u.copy_(u)
  conv.weight_v.copy_(v)
