"""VGG-16 feature distance and LPIPS with AlexNet, as the losses of stage 1.

Sources: Johnson et al. (arXiv 1603.08155); Zhang et al., LPIPS 0.1
(arXiv 1801.03924). The weights are those of `takin_jax.losses.perceptual`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
import torch.nn.functional as F

_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)
_TAPS = (1, 3, 6)  # relu1_2, relu2_2, relu3_3


class Features(nn.Module):
  """Convolutions with given weights on normalised pictures; never trained.

  Args:
    layers: `Conv_0`, ... with `kernel` [k, k, I, O] and `bias` [O].
    strides: of the first convolutions; the rest have 1.
    count: how many convolutions are used.
  """

  def __init__(
    self,
    layers: Mapping[str, Any],
    count: int,
    strides: tuple[int, ...] = (),
  ):
    super().__init__()
    self.register_buffer('shift', torch.tensor(_SHIFT)[:, None, None])
    self.register_buffer('scale', torch.tensor(_SCALE)[:, None, None])
    self.convs = nn.ModuleList()
    for i in range(count):
      kernel, bias = (
        torch.from_numpy(np.array(layers[f'Conv_{i}'][name], np.float32))
        for name in ('kernel', 'bias')
      )
      size, _, inputs, outputs = kernel.shape
      stride = strides[i] if i < len(strides) else 1
      pad = 2 if size > 3 else 1
      conv = nn.Conv2d(inputs, outputs, size, stride, pad)
      conv.weight.data = kernel.permute(3, 2, 0, 1).contiguous()
      conv.bias.data = bias
      self.convs.append(conv)
    self.requires_grad_(False)

  def normalise(self, image: Tensor) -> Tensor:
    return (2 * image - 1 - self.shift) / self.scale


class Vgg(Features):
  """Sum over layers of mean |f(a) - f(b)| / mean |f(b)|; b is the target."""

  def __init__(self, weights: Mapping[str, Any]):
    super().__init__(weights, _TAPS[-1] + 1)

  def features(self, image: Tensor) -> list[Tensor]:
    x, out = self.normalise(image), []
    for i, conv in enumerate(self.convs):
      x = F.relu(conv(x))
      if i in _TAPS:
        out.append(x)
        x = F.max_pool2d(x, 2) if i < _TAPS[-1] else x
    return out

  def forward(self, a: Tensor, b: Tensor) -> Tensor:
    with torch.no_grad():
      target = self.features(b)
    pairs = zip(self.features(a), target, strict=True)
    return sum((p - q).abs().mean() / (q.abs().mean() + 1e-3) for p, q in pairs)


class Lpips(Features):
  """LPIPS of [B, 3, H, W] in [0, 1], the mean over the batch."""

  def __init__(self, weights: Mapping[str, Any]):
    super().__init__(weights['AlexNet_0'], 5, (4,))
    for i in range(5):
      head = weights[f'NetLinLayer_{i}']['Conv_0']['kernel']
      head = np.array(head, np.float32).reshape(-1, 1, 1)
      self.register_buffer(f'head{i}', torch.from_numpy(head))

  def features(self, image: Tensor) -> list[Tensor]:
    x, out = self.normalise(image), []
    for i, conv in enumerate(self.convs):
      x = F.relu(conv(F.max_pool2d(x, 3, 2) if i in (1, 2) else x))
      out.append(x)
    return out

  def forward(self, a: Tensor, b: Tensor) -> Tensor:
    with torch.no_grad():
      target = [_unit(x) for x in self.features(b)]
    total = 0.0
    for i, (p, q) in enumerate(zip(self.features(a), target, strict=True)):
      distance = (_unit(p) - q).square() * getattr(self, f'head{i}')
      total = total + distance.sum(1).mean()
    return total


def _unit(x: Tensor) -> Tensor:
  return x * (x.square().sum(1, keepdim=True) + 1e-10).rsqrt()
