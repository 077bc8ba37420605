"""Weights folder -> config and parameters, ready to be compiled."""

import os
from typing import Any

from ml_collections import ConfigDict

from takin_jax import renderer
from takin_jax import weights as weights_lib
from takin_jax.config import build, load_config
from takin_jax.diffusion.schedule import DiffusionConfig
from takin_jax.errors import InputError
from takin_jax.models.articulation import ArticulationConfig
from takin_jax.models.denoiser import DenoiserConfig
from takin_jax.models.hubert import HubertConfig

Path = str | os.PathLike[str]
# The config blocks of networks.
_BLOCKS = {
  **{
    name: config
    for name, (_, config) in (renderer.MODULES | renderer.OPTIONAL).items()
  },
  'speech': HubertConfig,
  'articulation': ArticulationConfig,
  'denoiser': DenoiserConfig,
}


def load(
  weights: Path,
  config_file: Path | None = None,
  dtype: str = 'float32',
  **diffusion: Any,
) -> tuple[ConfigDict, dict[str, Any]]:
  """Reads weights, with some of their settings replaced.

  Args:
    weights: folder or name.
    config_file: the weights must be of this config; sampling follows it.
    dtype: compute type of the renderer.
    **diffusion: values of the config block `diffusion`; None: as they are.

  Returns:
    Config and parameters.

  Raises:
    InputError: the weights are of another config.
    WeightsError: they cannot be read.
  """
  config, params = weights_lib.load(weights)
  if 'model' not in config:
    raise InputError(f'The weights {weights} have no model in config.json.')
  if 'name' not in config:
    config.name = str(weights)
  if config_file is not None:
    _follow(config, config_file)
  if 'diffusion' in config:
    given = {k: v for k, v in diffusion.items() if v is not None}
    config.diffusion.update(given)
    cfg = build(DiffusionConfig, config.diffusion)
    if cfg.sample_steps > cfg.steps:
      raise InputError(
        f'{cfg.sample_steps} denoising steps are more than these weights '
        f'know: take at most {cfg.steps}.',
        'steps',
      )
  if renderer.STATS in params:
    model, params = renderer.fold(config.model, params)
    config.model = ConfigDict(model)
  config.model.dtype = dtype
  return config, params


def _follow(config: ConfigDict, file: Path) -> None:
  """Takes the settings of sampling and inference from a config file."""
  try:
    wanted = load_config(file)
  except ValueError as error:
    raise InputError(str(error), 'config') from None
  if not isinstance(wanted.get('model'), ConfigDict):
    raise InputError(f'{file} is no config of weights.', 'config')
  _check_same_model(config, wanted, file)
  for block in ('diffusion', 'infer'):
    if block in wanted:
      config[block] = wanted[block]


def _check_same_model(
  have: ConfigDict, want: ConfigDict, config_file: Path
) -> None:
  """Compares the networks that both configs describe."""

  def resolved(name: str, block: Any) -> Any:
    if name not in _BLOCKS:
      return block
    block = {k: v for k, v in block.items() if k != 'folded'}
    return build(_BLOCKS[name], block)

  for name, block in want.model.items():
    if name not in have.model:
      continue
    if resolved(name, block) != resolved(name, have.model[name]):
      raise InputError(
        f'The weights are of the config {have.name!r}, which differs in '
        f'{name!r} from {want.get("name")!r} ({config_file}): give the '
        'config that they belong to.',
        'config',
      )
