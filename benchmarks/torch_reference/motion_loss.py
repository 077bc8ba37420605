"""The loss of stage 1: a frame of a clip rebuilt from another one.

The small renderer and the terms of `takin_jax/train/picture_terms.py` that its
config uses. Everything random is an input.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
import torch.nn.functional as F

from benchmarks.torch_reference.keypoints import transform
from benchmarks.torch_reference.motion import refine
from benchmarks.torch_reference.nano_frame import center_grid
from benchmarks.torch_reference.perceptual import Lpips, Vgg
from takin_jax.face import LIDS
from takin_jax.train.motion.loss_config import GAPS, MOUTH, MotionLossConfig

# The tensors that the loss takes, in order.
INPUTS = (
  'source',
  'driving',
  'gain',
  'offset',
  'source_x',
  'driving_x',
  'taught',
)
_USED = ('l1', 'warped', 'reenactment', 'perceptual', 'lpips')
_OTHERS = ('pyramid', 'gan', 'feature_matching', 'landmark', 'canonical')
_OTHERS += ('head_pose', 'deformation', 'keypoint_prior', 'equivariance')
_OTHERS += ('expression', 'gap', 'positions')

Corners = Sequence[tuple[int, int]]


class MotionLoss(nn.Module):
  """Two pictures of a face and their keypoints -> loss [].

  Args:
    twins: the four networks of the small renderer by group.
    cfg: weights of the terms.
    nets: weights of the perceptual networks: `vgg16`, `alexnet`.

  Raises:
    ValueError: for a term that the twin does not have.
  """

  def __init__(
    self,
    twins: Mapping[str, nn.Module],
    cfg: MotionLossConfig,
    nets: Mapping[str, Any],
  ):
    super().__init__()
    if any(getattr(cfg, name) for name in _OTHERS):
      raise ValueError(f'The twin has the terms {", ".join(_USED)} only.')
    self.cfg = cfg
    for name, twin in twins.items():
      self.add_module(name, twin)
    self.vgg, self.alexnet = Vgg(nets['vgg16']), Lpips(nets['alexnet'])

  def forward(self, *args: Any) -> Tensor:
    """The weighted sum of all terms.

    Args:
      *args: the tensors of `INPUTS`: pictures [B, 3, H, W] uint8, their change
        of colours, keypoints [B, K, 3], and which pairs use them [B, 1, 1];
        last the corners (x, y) of the crops for VGG and for LPIPS, pixels.
    """
    *tensors, corners = args
    inputs = dict(zip(INPUTS, tensors, strict=True))
    source, driving = (
      (inputs[name] / 255.0 * inputs['gain'] + inputs['offset']).clamp(0, 1)
      for name in ('source', 'driving')
    )
    pair = self._keypoints(inputs, torch.cat([source, driving]))
    volume, skip = self.appearance(source)
    warped = self.warping(volume, skip, *pair)
    image, portrait = self.generator.decoder(*warped, source, *pair)
    return self._terms(image, portrait, driving, inputs['driving_x'], corners)

  def _keypoints(
    self, inputs: Mapping[str, Tensor], pictures: Tensor
  ) -> list[Tensor]:
    """Of source and driving, by the landmarker or the extractor."""
    known = [inputs['source_x'], inputs['driving_x']]
    if not self.cfg.extracts:
      return known
    kp, vector = refine(self.motion(pictures))
    shape = kp[: len(kp) // 2].repeat(2, 1, 1)
    own = transform(shape, vector).chunk(2)
    return [
      torch.where(inputs['taught'], a, b)
      for a, b in zip(known, own, strict=True)
    ]

  def _terms(
    self,
    image: Tensor,
    portrait: Tensor,
    target: Tensor,
    x: Tensor,
    corners: tuple[Corners, Corners],
  ) -> Tensor:
    cfg = self.cfg
    weight = self._region_weight(x, image.shape[-1])
    total = 0.0
    for factor in (1, 2, 8):
      total = total + cfg.l1 * weighted_l1(image, target, weight, factor)
    total = total + cfg.warped * weighted_l1(portrait, target, weight, 8)
    sizes = (cfg.perceptual_px, cfg.lpips_px)
    for net, factor, size, places in zip(
      (self.vgg, self.alexnet),
      (cfg.perceptual, cfg.lpips),
      sizes,
      corners,
      strict=True,
    ):
      total = total + factor * net(
        crop(image, places, size), crop(target, places, size)
      )
    if cfg.reenactment:
      total = total + cfg.reenactment * self._reenactment(image, target)
    return total

  def _region_weight(self, x: Tensor, size: int) -> Tensor:
    """[B, 1, H, W]: 1, more in Gaussians around mouth and eyes."""
    grid = center_grid(size, size, device=x.device)

    def bump(indices: tuple[int, ...], radius: float) -> Tensor:
      centre = x[:, list(indices), :2].mean(1)[:, None, None]
      squared = (grid - centre).square().sum(-1)[:, None]
      return torch.exp(-0.5 / radius**2 * squared)

    eyes = sum(bump(pair, 0.12) for pair in LIDS)
    return 1.0 + self.cfg.mouth * bump(MOUTH, 0.18) + self.cfg.eyes * eyes

  def _reenactment(self, image: Tensor, target: Tensor) -> Tensor:
    """Keypoints and openings read off two pictures, by their spread."""
    made = transform(*refine(self.motion(image)))
    with torch.no_grad():
      wanted = transform(*refine(self.motion(target)))
    scale = made.new_tensor(self.cfg.expression_scale)[:, None]
    error = (made - wanted).abs() * made.new_tensor([1.0, 1.0, 0.3]) / scale
    opening = (gaps(made) - gaps(wanted)).abs()
    return (
      error.mean() + (opening / opening.new_tensor(self.cfg.gap_scale)).mean()
    )


def gaps(x: Tensor) -> Tensor:
  """Openings of mouth and eyes: [B, K, 3] -> [B, 3]."""
  upper, lower = (list(i) for i in zip(*GAPS, strict=True))
  return x[:, lower, 1] - x[:, upper, 1]


def weighted_l1(a: Tensor, b: Tensor, weight: Tensor, factor: int) -> Tensor:
  """mean w |a - b| of reduced pictures; w has mean 1 per picture."""
  if factor > 1:
    a, b, weight = (F.avg_pool2d(x, factor) for x in (a, b, weight))
  weight = weight / weight.mean((2, 3), keepdim=True)
  return (weight * (a - b).abs()).mean()


def crop(image: Tensor, corners: Corners, size: int) -> Tensor:
  """[B, C, size, size] at the corners; the whole of a smaller picture."""
  if size >= image.shape[-1]:
    return image
  return torch.stack(
    [
      picture[:, y : y + size, x : x + size]
      for picture, (x, y) in zip(image, corners, strict=True)
    ]
  )
