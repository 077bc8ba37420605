"""LivePortrait's published files -> the renderer's parameter groups.

In: a folder with the five .pth files, or a `pretrained_weights` tree. Out: the
groups `appearance`, `motion`, `warping`, `generator`, `stitching`, and
`batch_stats` with the running statistics of batch and spectral norms.
"""

from collections.abc import Mapping
import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from takin_jax import renderer
from takin_jax.convert import liveportrait_tables as tables
from takin_jax.convert import sources
from takin_jax.convert.apply import ConvertError, Result, apply
from takin_jax.models.stitching import Stitching, StitchingConfig

FILES = {
  'appearance': 'appearance_feature_extractor.pth',
  'motion': 'motion_extractor.pth',
  'warping': 'warping_module.pth',
  'generator': 'spade_generator.pth',
  'stitching': 'stitching_retargeting_module.pth',
}
TABLES = {
  'appearance': tables.APPEARANCE,
  'motion': tables.MOTION,
  'warping': tables.WARPING,
  'generator': tables.GENERATOR,
  'stitching': tables.STITCHING,
}
_ROOTS = ('', 'liveportrait', 'pretrained_weights/liveportrait')
_FOLDERS = ('', 'base_models', 'retargeting_models')


def find(source: Path) -> dict[str, Path]:
  """The five files in a folder or tree, by group.

  Raises:
    ConvertError: if the folder or a file is missing.
  """
  if not source.is_dir():
    raise ConvertError(f'There is no folder {source}.')
  best: dict[str, Path] = {}
  for root in _ROOTS:
    found = {}
    for name, file in FILES.items():
      places = (source / root / folder / file for folder in _FOLDERS)
      path = next((p for p in places if p.is_file()), None)
      if path is not None:
        found[name] = path
    best = max(best, found, key=len)
  missing = [file for name, file in FILES.items() if name not in best]
  if missing:
    raise ConvertError(f'{source} lacks {", ".join(missing)}.')
  return best


def model_block(states: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
  """The config block `model`: published sizes, 256 or 512 pixels out."""
  upscale = 1 if 'conv_img.weight' in states.get('generator', {}) else 2
  model = {
    name: dataclasses.asdict(config())
    for name, (_, config) in renderer.MODULES.items()
  }
  model['generator']['upscale'] = upscale
  model['stitching'] = dataclasses.asdict(StitchingConfig())
  # Source and frame are pictures of one size; F and M reduce theirs to 256.
  return {'image_size': 256 * upscale, **model}


def shapes(model: Mapping[str, Any]) -> dict[str, Any]:
  """Shapes of the variables of every group: group -> collection -> tree."""
  params = jax.eval_shape(lambda: renderer.init(model, jax.random.key(0)))
  stats = params.pop(renderer.STATS, {})
  kp = jnp.zeros((1, 21, 3))
  stitching = jax.eval_shape(
    lambda: Stitching(StitchingConfig()).init(
      jax.random.key(0), kp, method='all'
    )
  )
  groups = {
    name: {'params': tree, renderer.STATS: stats.get(name, {})}
    for name, tree in params.items()
  }
  return {**groups, 'stitching': stitching}


def convert(
  states: Mapping[str, Mapping[str, np.ndarray]],
) -> tuple[dict[str, Any], dict[str, Result]]:
  """Converts state dicts by group.

  Args:
    states: group -> PyTorch names -> arrays.

  Returns:
    Config block `model` and what became of each group.
  """
  model = model_block(states)
  wanted = shapes(model)
  return model, {
    name: apply(TABLES[name], state, wanted[name])
    for name, state in states.items()
  }


def read(source: Path) -> dict[str, dict[str, np.ndarray]]:
  """State dicts of the five files, by group."""
  return {name: sources.read_torch(p) for name, p in find(source).items()}


def merge(results: Mapping[str, Result]) -> dict[str, Any]:
  """The parameter groups of a weights folder."""
  params = {name: r.variables['params'] for name, r in results.items()}
  stats = {
    name: r.variables[renderer.STATS]
    for name, r in results.items()
    if r.variables.get(renderer.STATS)
  }
  return {**params, renderer.STATS: stats}
