"""What is compared: the blocks, and how to build both sides of one.

Sizes: `full` is LivePortrait's renderer with HuBERT-large and the denoiser of
configs/audio.py, under seeded random weights; `nano` is what the repository
ships, with its trained weights.
"""

from collections.abc import Callable
import dataclasses
from pathlib import Path
import tempfile
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import Tensor

from benchmarks.programs import Ours, Theirs
from takin_jax import renderer, weights
from takin_jax.config import load_config
from takin_jax.infer import checkpoint

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
SIZES = ('nano', 'full')


@dataclasses.dataclass(frozen=True)
class Setting:
  """Where and how a block runs.

  Attributes:
    size: 'nano' or 'full'.
    dtype: compute type of both sides, 'float32' or 'bfloat16'.
    device: of ours.
    torch_device: of theirs.
    liveportrait: folder of a checkout that takes our twin's place; None.
  """

  size: str
  dtype: str
  device: jax.Device
  torch_device: torch.device
  liveportrait: str | None = None

  @property
  def torch_dtype(self) -> torch.dtype:
    return getattr(torch, self.dtype)

  def put(self, tree: Any) -> Any:
    """Arrays on our device."""
    return jax.device_put(tree, self.device)

  def tensor(self, x: Any) -> Tensor:
    """A tensor of numbers that stay float32, such as keypoints."""
    return torch.from_numpy(np.array(x)).to(self.torch_device)

  def picture(self, x: Any) -> Tensor:
    """[B, ..., C] -> [B, C, ...] in the compute type."""
    x = np.moveaxis(np.asarray(x, np.float32), -1, 1)
    return self.tensor(np.ascontiguousarray(x)).to(self.torch_dtype)


@dataclasses.dataclass(frozen=True)
class Case:
  """Both sides of a block.

  Attributes:
    ours: compiled.
    theirs: not yet compiled.
    difference: outputs of both -> largest absolute difference.
    notes: extra keys of the result's rows.
  """

  ours: Ours
  theirs: Theirs
  difference: Callable[[Any, Any], float]
  notes: dict[str, Any] = dataclasses.field(default_factory=dict)


def load_model(size: str) -> tuple[dict[str, Any], dict[str, Any]]:
  """Config and, for the shipped model, parameters by group."""
  if size == 'nano':
    config, params = weights.load('nano')
    return config.to_dict(), params
  motion = load_config(CONFIGS / 'motion.py').model.to_dict()
  audio = load_config(CONFIGS / 'audio.py').to_dict()
  # The networks read 256 x 256 pixels; larger pictures are reduced before.
  model = {**motion, **audio['model'], 'image_size': 256}
  diffusion = {**audio['diffusion'], 'sample_steps': 10}
  return {'model': model, 'diffusion': diffusion}, {}


def for_inference(
  config: dict[str, Any], params: dict[str, Any], dtype: str
) -> tuple[dict[str, Any], dict[str, Any]]:
  """The block `model` and parameters as inference loads them from a folder.

  Args:
    config: has the block `model`.
    params: float32 parameters by group, with statistics.
    dtype: compute type.
  """
  with tempfile.TemporaryDirectory() as parent:
    folder = Path(parent) / 'weights'
    weights.save(folder, config, params, np.float32)
    config, params = checkpoint.load(folder, dtype=dtype)
  return config.model.to_dict(), renderer.transform(config.model, params)


def in_our_layout(x: Tensor) -> np.ndarray:
  """[B, C, ...] -> [B, ..., C], float32."""
  return np.moveaxis(x.float().cpu().numpy(), 1, -1)


def largest(ours: Any, theirs: np.ndarray) -> float:
  """Largest absolute difference of two arrays.

  Raises:
    ValueError: they differ in shape, so the sides compute different things.
  """
  ours = np.asarray(jnp.asarray(ours, jnp.float32))
  if ours.shape != theirs.shape:
    raise ValueError(f'Outputs differ in shape: {ours.shape}, {theirs.shape}.')
  return float(np.abs(ours - theirs).max())
