"""The four networks of the renderer, built as a config block says."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from benchmarks.torch_reference import nano_frame, nano_source
from benchmarks.torch_reference.appearance import AppearanceExtractor
from benchmarks.torch_reference.blocks import randomize
from benchmarks.torch_reference.generator import Generator
from benchmarks.torch_reference.motion import MotionExtractor
from benchmarks.torch_reference.warping import WarpingModule
from benchmarks.torch_reference.weights import load_named, to_ours
from takin_jax import renderer
from takin_jax.config import build
from takin_jax.convert import liveportrait

Block = Mapping[str, Any]
# Heads of M: factors on the weights that give what real portraits give.
_HEAD_GAINS = {'exp': 0.02, 'scale': 0.05, 't': 0.05, 'kp': 0.3}


def networks(model: Block) -> dict[str, nn.Module]:
  """Twins of F, M, W and G by group, with PyTorch's initial weights."""
  cfg = {
    name: build(config, model[name])
    for name, (_, config) in renderer.MODULES.items()
  }
  f, m, w, g = cfg.values()
  if w.fold_depth:
    return {
      'appearance': nano_source.Appearance(f),
      'motion': nano_source.Motion(m),
      'warping': nano_frame.Warping(w, f, m.num_kp),
      'generator': nano_frame.Blend(g, f, w, m.num_kp),
    }
  volume = (f.volume_channels, f.depth)
  return {
    'appearance': AppearanceExtractor(f),
    'motion': MotionExtractor(m),
    'warping': WarpingModule(w, volume, m.num_kp),
    'generator': Generator(g, w.out_channels),
  }


def random_pair(
  model: Block, seed: int = 0
) -> tuple[dict[str, nn.Module], dict[str, Any]]:
  """Twins with sensible random weights, and those weights as ours.

  Args:
    model: config block of a renderer with published tensor names.
    seed: of the weights.

  Returns:
    Twins by group, not yet prepared, and our parameter groups with their
    running statistics.
  """
  twins = networks(model)
  for i, twin in enumerate(twins.values()):
    randomize(twin, seed + i)
  _calm(twins['motion'].detector)
  return twins, converted(model, twins)


def converted(model: Block, twins: Mapping[str, nn.Module]) -> dict[str, Any]:
  """The twins' weights as our parameter groups."""
  wanted = liveportrait.shapes(model)
  ours: dict[str, Any] = {renderer.STATS: {}}
  for name, twin in twins.items():
    variables = to_ours(liveportrait.TABLES[name], twin, wanted[name])
    ours[name] = variables['params']
    if renderer.STATS in variables:
      ours[renderer.STATS][name] = variables[renderer.STATS]
  return ours


def load_small(model: Block, params: Block) -> dict[str, nn.Module]:
  """Twins of the small renderer with our parameters."""
  return {
    name: load_named(twin, params[name])
    for name, twin in networks(model).items()
  }


@torch.no_grad()
def _calm(heads: nn.Module) -> None:
  for name, gain in _HEAD_GAINS.items():
    getattr(heads, f'fc_{name}').weight.mul_(gain)
  heads.fc_scale.bias.fill_(1.3)
