"""HuBERT of transformers -> the parameter group `speech`.

In: a Hugging Face folder (config.json and safetensors or bin) or a hub name
such as facebook/hubert-large-ls960-ft. Out: parameters and their config.
"""

from collections.abc import Mapping
import dataclasses
from pathlib import Path
import re
from typing import Any

import jax
import numpy as np

from takin_jax import audio_to_motion
from takin_jax.config import build
from takin_jax.convert import sources
from takin_jax.convert.apply import ConvertError, Result, apply
from takin_jax.convert.hubert_tables import HUBERT as TABLE
from takin_jax.errors import InputError
from takin_jax.models.hubert import HubertConfig

_SUPPORTED = {
  'hidden_act': 'gelu',
  'feat_extract_activation': 'gelu',
  'feat_proj_layer_norm': True,
  'conv_pos_batch_norm': False,
}
# Our name -> the one in a Hugging Face config.
_KEYS = {
  'conv_dims': 'conv_dim',
  'conv_kernels': 'conv_kernel',
  'conv_strides': 'conv_stride',
  'conv_bias': 'conv_bias',
  'conv_norm': 'feat_extract_norm',
  'dim': 'hidden_size',
  'layers': 'num_hidden_layers',
  'heads': 'num_attention_heads',
  'ffn_dim': 'intermediate_size',
  'norm_first': 'do_stable_layer_norm',
  'pos_kernel': 'num_conv_pos_embeddings',
  'pos_groups': 'num_conv_pos_embedding_groups',
  'norm_eps': 'layer_norm_eps',
}
_SHARDS = 'model.safetensors.index.json'
_WEIGHTS = ('model.safetensors', _SHARDS, 'pytorch_model.bin')


def model_config(given: Mapping[str, Any], normalize: bool) -> HubertConfig:
  """The sizes in a Hugging Face config.

  Args:
    given: its config.json.
    normalize: whether the feature extractor normalises the sound.

  Raises:
    ConvertError: if a value is missing or asks for what `Hubert` has not.
  """
  for key, wanted in _SUPPORTED.items():
    if given.get(key, wanted) != wanted:
      raise ConvertError(f'{key} = {given[key]!r} is not supported.')
  missing = [key for key in _KEYS.values() if key not in given]
  if missing:
    raise ConvertError(f'The config.json has no {missing[0]!r}.')
  block = {name: given[key] for name, key in _KEYS.items()}
  block['dropout'] = given.get('hidden_dropout', 0.1)
  try:
    return build(HubertConfig, {**block, 'normalize': normalize})
  except InputError as error:
    raise ConvertError(f'The config.json cannot be used: {error}') from None


def convert(cfg: HubertConfig, state: Mapping[str, np.ndarray]) -> Result:
  """Converts a state dict, with or without the prefix `hubert.`.

  Raises:
    ConvertError: if the config is of a much larger model.
  """
  if cfg.layers > max(len(state), 100):
    raise ConvertError(
      f'The config.json has {cfg.layers} layers, the checkpoint only '
      f'{len(state)} tensors.'
    )
  return apply(TABLE, state, shapes(cfg))


def shapes(cfg: HubertConfig) -> dict[str, Any]:
  """Shapes of the variables of `Hubert`."""
  model, key = {'speech': dataclasses.asdict(cfg)}, jax.random.key(0)
  found = jax.eval_shape(lambda: audio_to_motion.init_speech(model, key))
  return {'params': found['speech']}


def read(source: str) -> tuple[HubertConfig, dict[str, np.ndarray]]:
  """Config and state dict of a folder or a hub name.

  Raises:
    ConvertError: if it is not there, damaged, or no HuBERT.
  """
  folder = Path(source)
  if not folder.is_dir():
    folder = _download(source)
  given = sources.read_json(folder / 'config.json')
  kind = given.get('model_type')
  if kind != 'hubert':
    raise ConvertError(f'{source} is a model of type {kind!r}, not HuBERT.')
  processor = folder / 'preprocessor_config.json'
  # Without that file: the large models normalise, the base ones do not.
  normalize = given.get('feat_extract_norm') == 'layer'
  if processor.is_file():
    normalize = sources.read_json(processor).get('do_normalize', normalize)
  return model_config(given, bool(normalize)), _tensors(folder)


def _tensors(folder: Path) -> dict[str, np.ndarray]:
  """The state dict, safetensors first."""
  whole, shards, pickled = (folder / name for name in _WEIGHTS)
  if whole.is_file():
    return sources.read_safetensors([whole])
  if shards.is_file():
    return sources.read_safetensors(_shards(folder, shards))
  if pickled.is_file():
    return sources.read_torch(pickled)
  raise ConvertError(f'{folder} has neither {_WEIGHTS[0]} nor {_WEIGHTS[2]}.')


def _shards(folder: Path, index: Path) -> list[Path]:
  """The files that an index names, all in its own folder."""
  names = sources.read_json(index).get('weight_map')
  if not isinstance(names, dict) or not names:
    raise ConvertError(f'{index} has no weight_map of names.')
  for name in names.values():
    if not isinstance(name, str) or not re.fullmatch(r'[\w-][\w.-]*', name):
      raise ConvertError(f'{index} names {name!r}, which is no file beside it.')
  return [folder / name for name in sorted(set(names.values()))]


def _download(name: str) -> Path:
  """The folder of a hub name in Hugging Face's own cache."""
  if not re.fullmatch(r'[\w.-]+/[\w.-]+', name):
    raise ConvertError(f'There is no folder {name}, nor is it a hub name.')
  import huggingface_hub
  from huggingface_hub.errors import EntryNotFoundError

  def fetch(file: str) -> Path | None:
    try:
      return Path(huggingface_hub.hf_hub_download(name, file))
    except EntryNotFoundError as error:
      # No network and nothing in the cache is one of them too.
      if type(error).__name__ == 'LocalEntryNotFoundError':
        raise
      return None

  try:
    config = fetch('config.json')
    fetch('preprocessor_config.json')
    if not fetch('model.safetensors'):
      fetch('pytorch_model.bin')
  except Exception as error:  # networks fail in many types of error
    reason = str(error).strip().splitlines()[0]
    raise ConvertError(
      f'There is no folder {name}, and the hub does not give it ({reason}): '
      'check name and network, or give a folder with its files.'
    ) from None
  if config is None:
    raise ConvertError(f'{name} has no config.json on the hub.')
  return config.parent
