"""HuBERT of transformers -> our weights folder.

In: a Hugging Face folder (config.json, safetensors or bin) or a hub name. Out:
the parameter group `speech` and its config.
"""

from collections.abc import Mapping
from typing import Any

from takin_jax.convert.apply import ConvertError
from takin_jax.convert.hubert_tables import HUBERT as TABLE
from takin_jax.models.hubert import HubertConfig

__all__ = ['TABLE', 'model_config']


def model_config(given: Mapping[str, Any], normalize: bool) -> HubertConfig:
  """The sizes in a Hugging Face config.

  Args:
    given: its config.json.
    normalize: whether the feature extractor normalises the sound.

  Raises:
    ConvertError: if a value is missing or asks for what `Hubert` has not.
  """
  try:
    for key, wanted in (
      ('hidden_act', 'gelu'),
      ('feat_extract_activation', 'gelu'),
      ('feat_proj_layer_norm', True),
      ('conv_pos_batch_norm', False),
    ):
      if given.get(key, wanted) != wanted:
        raise ConvertError(f'{key}={given[key]} is not supported.')
    return HubertConfig(
      conv_dims=tuple(given['conv_dim']),
      conv_kernels=tuple(given['conv_kernel']),
      conv_strides=tuple(given['conv_stride']),
      conv_bias=given['conv_bias'],
      conv_norm=given['feat_extract_norm'],
      dim=given['hidden_size'],
      layers=given['num_hidden_layers'],
      heads=given['num_attention_heads'],
      ffn_dim=given['intermediate_size'],
      norm_first=given['do_stable_layer_norm'],
      pos_kernel=given['num_conv_pos_embeddings'],
      pos_groups=given['num_conv_pos_embedding_groups'],
      dropout=given.get('hidden_dropout', 0.1),
      norm_eps=given['layer_norm_eps'],
      normalize=normalize,
    )
  except KeyError as error:
    raise ConvertError(f'the config.json has no {error.args[0]!r}.') from None
