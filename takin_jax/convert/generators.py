"""JoyVASA's and Ditto's motion generators -> the parameter group `denoiser`.

In: their published checkpoints. Out: parameters, their config, and for JoyVASA
the statistics of its motion. Speech encoder and renderer are converted by
themselves into the same folder.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.convert.apply import ConvertError
from takin_jax.models.ditto import DittoConfig, DittoDenoiser
from takin_jax.models.joyvasa import JoyvasaConfig, JoyvasaDenoiser

State = Mapping[str, np.ndarray]


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
