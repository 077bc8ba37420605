"""JoyVASA's and Ditto's motion generators -> the parameter group `denoiser`.

In: their published checkpoints. Out: parameters, their config, and for JoyVASA
the statistics of its motion. Speech encoder and renderer are converted by
themselves into the same folder.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.convert import sources
from takin_jax.convert.apply import ConvertError, Result, apply
from takin_jax.convert.generator_tables import DITTO, JOYVASA
from takin_jax.convert.sources import Arrays
from takin_jax.models.ditto import DittoConfig, DittoDenoiser
from takin_jax.models.joyvasa import JoyvasaConfig, JoyvasaDenoiser

State = Mapping[str, np.ndarray]
Params = dict[str, Any]

_COMPILED = ('.onnx', '.engine', '.trt', '.plan')
# Parts of the motion vector in JoyVASA's statistics, and their sizes.
_TEMPLATE = {'exp': 63, 'scale': 1, 't': 3, 'pitch': 1, 'yaw': 1, 'roll': 1}


def read_joyvasa(source: Path) -> tuple[JoyvasaConfig, Arrays, Params]:
  """Config, state dict and statistics of JoyVASA's generator.

  Args:
    source: its checkpoint, or a folder in which it is the only .pt file;
      motion_template.pkl lies in that folder, or near the checkpoint.

  Raises:
    ConvertError: something is missing, damaged, or of another model.
  """
  path = _find(source, '*.pt')
  root = path.parent.parent if source.is_file() else source
  template = next(iter(sorted(root.rglob('motion_template.pkl'))), None)
  if template is None:
    raise ConvertError(
      f'{root} has no motion_template.pkl, which JoyVASA publishes beside its '
      'checkpoint: motion cannot be scaled without.'
    )
  tree = sources.load_torch(path, allowed=(argparse.Namespace,))
  if not isinstance(tree, Mapping) or not {'args', 'model'} <= set(tree):
    raise ConvertError(f'{path} is no checkpoint of JoyVASA.')
  state = sources.arrays_of(tree['model'], path)
  window = getattr(tree['args'], 'n_motions', None)
  if not isinstance(window, int):
    raise ConvertError(f'{path} does not tell n_motions.')
  cfg = joyvasa_config(state, window)
  return cfg, state, joyvasa_stats(sources.read_pickled_arrays(template))


def joyvasa_stats(template: Arrays) -> Params:
  """Mean and deviation of the motion vector, see `face.py`.

  Expressions are standardised; the head goes from its least to its most.

  Raises:
    ConvertError: something is missing, or of another size.
  """
  mean, std = [], []
  for name, size in _TEMPLATE.items():
    low, high = ('mean', 'std') if name == 'exp' else ('min', 'max')
    pair = [template.get(f'{kind}_{name}') for kind in (low, high)]
    if any(x is None or x.size != size for x in pair):
      raise ConvertError(
        f'motion_template.pkl has no {low}_{name} and {high}_{name} of {size}.'
      )
    least, most = (x.reshape(-1) for x in pair)
    mean.append(least)
    std.append(most if name == 'exp' else most - least)
  return {'mean': np.concatenate(mean), 'std': np.concatenate(std)}


def read_ditto(source: Path) -> tuple[DittoConfig, Arrays]:
  """Config and state dict of Ditto's generator.

  Args:
    source: its .pth file, or a folder with one named lmdm*.pth.

  Raises:
    ConvertError: it is missing, damaged, or of another model.
  """
  if source.suffix in _COMPILED:
    raise ConvertError(
      f'{source} is a compiled network: give the .pth file of PyTorch.'
    )
  path = _find(source, 'lmdm*.pth')
  tree = sources.load_torch(path)
  if not isinstance(tree, Mapping) or 'model_state_dict' not in tree:
    raise ConvertError(f'{path} is no checkpoint of Ditto.')
  state = sources.arrays_of(tree['model_state_dict'], path)
  return ditto_config(state), state


def convert(cfg: JoyvasaConfig | DittoConfig, state: State) -> Result:
  """Converts the state dict of a generator."""
  if isinstance(cfg, JoyvasaConfig):
    return apply(JOYVASA, state, shapes(JoyvasaDenoiser(cfg)))
  return apply(DITTO, state, shapes(DittoDenoiser(cfg)))


def joyvasa_config(state: State, window: int) -> JoyvasaConfig:
  """The sizes of JoyVASA's generator, read off its tensors.

  Args:
    state: the state dict, its names as published.
    window: frames generated at a time, which no tensor tells.

  Raises:
    ConvertError: a tensor is missing or of an odd shape.
  """
  start = _shape(state, 'start_motion_feat', 3)
  speech = _shape(state, 'audio_feature_map.weight', 2)
  return _build(
    JoyvasaConfig,
    motion_dim=start[2],
    speech_dim=speech[1],
    dim=speech[0],
    layers=_count(state, 'denoising_net.transformer.layers.'),
    window=window,
    prefix=start[1],
  )


def ditto_config(state: State, heads: int = 8) -> DittoConfig:
  """The sizes of Ditto's generator, read off its tensors.

  Args:
    state: the state dict, its names as published.
    heads: attention heads, which no tensor tells.

  Raises:
    ConvertError: a tensor is missing or of an odd shape.
  """
  cond = _shape(state, 'cond_projection.weight', 2)
  return _build(
    DittoConfig,
    motion_dim=_shape(state, 'final_layer.weight', 2)[0],
    cond_dim=cond[1],
    dim=cond[0],
    ffn_dim=_shape(state, 'cond_encoder.0.linear1.weight', 2)[0],
    layers=_count(state, 'seqTransDecoder.stack.'),
    heads=heads,
    window=_shape(state, 'null_cond_embed', 3)[1],
  )


def shapes(module: JoyvasaDenoiser | DittoDenoiser) -> dict[str, Any]:
  """Shapes of the variables of a generator."""
  cfg = module.cfg
  motion = jnp.zeros((1, cfg.window, cfg.motion_dim))
  if isinstance(cfg, JoyvasaConfig):
    args = (jnp.zeros((1, 2 * cfg.window, cfg.speech_dim)), motion)
  else:
    args = (motion, jnp.zeros((1, cfg.window, cfg.cond_dim)))
  key = jax.random.key(0)
  return jax.eval_shape(lambda: dict(module.init(key, *args, method='all')))


def _find(source: Path, pattern: str) -> Path:
  """The file itself, or the only one of that name in a folder."""
  if source.is_file():
    return source
  if not source.is_dir():
    raise ConvertError(f'There is no file or folder {source}.')
  found = sorted(source.rglob(pattern))
  if len(found) != 1:
    names = ', '.join(path.name for path in found) or 'none'
    raise ConvertError(
      f'{source} must have one file {pattern}, and has {names}: give the file.'
    )
  return found[0]


def _shape(state: State, key: str, rank: int) -> tuple[int, ...]:
  """Shape of a tensor that tells sizes."""
  shape = tuple(np.shape(state[key])) if key in state else ()
  if len(shape) != rank:
    raise ConvertError(
      f'The checkpoint is of another model: {key!r} '
      f'{f"has shape {list(shape)}" if shape else "is missing"}.'
    )
  return shape


def _count(state: State, prefix: str) -> int:
  """How many numbered layers there are."""
  found = {
    k[len(prefix) :].split('.')[0] for k in state if k.startswith(prefix)
  }
  return len(found)


def _build(cls: type, **sizes: Any) -> Any:
  try:
    return cls(**sizes)
  except ValueError as error:
    raise ConvertError(
      f'The checkpoint has sizes that no such model has: {error}'
    ) from None
