"""Weights folder -> config and parameters, as the command line wants them."""

import dataclasses
import json
import os
from typing import Any

from ml_collections import ConfigDict
import numpy as np

from takin_jax import weights as weights_lib
from takin_jax.config import build, load_config
from takin_jax.diffusion.schedule import DiffusionConfig
from takin_jax.infer.controls import parse_emotion
from takin_jax.infer.errors import InputError

Path = str | os.PathLike[str]


@dataclasses.dataclass(frozen=True)
class InferConfig:
  """The config block `infer`: what suits these weights.

  Attributes:
    emotion: `NAME[:scale]` when the user asks for none; '': not conditioned.
    max_pose_deg: the head turns less than this from its place.
  """

  emotion: str = ''
  max_pose_deg: float = 180.0


def load(
  weights: Path, config_file: Path | None = None, **diffusion: Any
) -> tuple[ConfigDict, dict[str, Any]]:
  """Reads weights, with some of their settings replaced.

  Args:
    weights: folder or name.
    config_file: the weights must be of this config; sampling follows it.
    **diffusion: values of the config block `diffusion`; None: as they are.

  Returns:
    Config and parameters.

  Raises:
    InputError: the weights are of another config.
    WeightsError: they cannot be read.
  """
  config, params = weights_lib.load(weights)
  if 'name' not in config:
    config.name = str(weights)
  if config_file is not None:
    try:
      wanted = load_config(config_file)
    except ValueError as error:
      raise InputError(str(error)) from None
    _check_same_model(config, wanted, config_file)
    for block in ('diffusion', 'infer'):
      if block in wanted:
        config[block] = wanted[block]
  if 'diffusion' in config:
    given = {k: v for k, v in diffusion.items() if v is not None}
    config.diffusion.update(given)
    cfg = build(DiffusionConfig, config.diffusion)
    if cfg.sample_steps > cfg.steps:
      raise InputError(
        f'{cfg.sample_steps} denoising steps are more than these weights '
        f'know: take at most {cfg.steps}.'
      )
  return config, params


def _check_same_model(
  have: ConfigDict, want: ConfigDict, config_file: Path
) -> None:
  """Compares the networks that both configs describe."""

  def plain(block: Any) -> Any:
    return json.loads(json.dumps(ConfigDict({'_': block}).to_dict()))

  for name, block in want.model.items():
    if name in have.model and plain(block) != plain(have.model[name]):
      raise InputError(
        f'The weights are of the config {have.name!r}, which differs in '
        f'{name!r} from {want.name!r} ({config_file}): give the config that '
        'they belong to.'
      )


def emotion_vector(
  text: str | None, config: ConfigDict, params: dict[str, Any]
) -> np.ndarray | None:
  """[3K] expression for `NAME[:scale]`, or the weights' own, or None."""
  text = text or infer_config(config).emotion
  return parse_emotion(text, params.get('emotions', {})) if text else None


def infer_config(config: ConfigDict) -> InferConfig:
  """The settings that suit these weights."""
  return build(InferConfig, config.get('infer'))
