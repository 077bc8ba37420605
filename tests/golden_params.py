"""State dicts of the golden Conformer cases -> our variables.

Works on numpy arrays and on traced ones, so that gradients can be taken with
respect to the PyTorch tensors.
"""

from collections.abc import Mapping
from typing import Any

Tensors = Mapping[str, Any]


def _dense(w: Tensors, key: str) -> dict[str, Any]:
  """Linear or 1x1 convolution."""
  kernel = w[f'{key}.weight']
  out = {'kernel': kernel.reshape(kernel.shape[:2]).T}
  return out | ({'bias': w[f'{key}.bias']} if f'{key}.bias' in w else {})


def _norm(w: Tensors, key: str) -> dict[str, Any]:
  return {'scale': w[f'{key}.weight'], 'bias': w[f'{key}.bias']}


def conformer(w: Tensors, layers: int) -> dict[str, Any]:
  """Variables of `Conformer`, from espnet's or transformers' keys."""
  if 'encoders.0.norm_mha.weight' in w:
    prefix, names, last = 'encoders', _ESPNET, 'after_norm'
  else:
    prefix, names, last = 'layers', _TRANSFORMERS, 'layer_norm'
  params, statistics = {}, {}
  for i in range(layers):
    name, key = f'layer_{i}', f'{prefix}.{i}'
    params[name], mean_var = _conformer_layer(w, key, names)
    statistics[name] = {'conv': {'norm': mean_var}}
  if f'{last}.weight' in w:
    params['norm_out'] = _norm(w, last)
  return {'params': params, 'batch_stats': statistics}


_ESPNET = {
  'ffn1_in': 'feed_forward_macaron.w_1',
  'ffn1_out': 'feed_forward_macaron.w_2',
  'ffn2_in': 'feed_forward.w_1',
  'ffn2_out': 'feed_forward.w_2',
  'norm_ffn1': 'norm_ff_macaron',
  'norm_att': 'norm_mha',
  'norm_conv': 'norm_conv',
  'norm_ffn2': 'norm_ff',
  'norm_final': 'norm_final',
  'batch_norm': 'conv_module.norm',
}
_TRANSFORMERS = {
  'ffn1_in': 'ffn1.intermediate_dense',
  'ffn1_out': 'ffn1.output_dense',
  'ffn2_in': 'ffn2.intermediate_dense',
  'ffn2_out': 'ffn2.output_dense',
  'norm_ffn1': 'ffn1_layer_norm',
  'norm_att': 'self_attn_layer_norm',
  'norm_conv': 'conv_module.layer_norm',
  'norm_ffn2': 'ffn2_layer_norm',
  'norm_final': 'final_layer_norm',
  'batch_norm': 'conv_module.batch_norm',
}


def _conformer_layer(w: Tensors, key: str, names: Mapping[str, str]):
  """Parameters and batch statistics of one layer."""
  params = {}
  for ours, theirs in names.items():
    if ours.startswith('ffn'):
      params[ours] = _dense(w, f'{key}.{theirs}')
    elif ours.startswith('norm'):
      params[ours] = _norm(w, f'{key}.{theirs}')
  attention = f'{key}.self_attn'
  params['attention'] = {
    name: _dense(w, f'{attention}.{name}')
    for name in ('linear_q', 'linear_k', 'linear_v', 'linear_out', 'linear_pos')
  } | {n: w[f'{attention}.{n}'] for n in ('pos_bias_u', 'pos_bias_v')}
  conv, norm = f'{key}.conv_module', f'{key}.{names["batch_norm"]}'
  params['conv'] = {
    'pointwise_in': _dense(w, f'{conv}.pointwise_conv1'),
    'depthwise': w[f'{conv}.depthwise_conv.weight'][:, 0].T,
    'norm': _norm(w, norm),
    'pointwise_out': _dense(w, f'{conv}.pointwise_conv2'),
  }
  if f'{conv}.depthwise_conv.bias' in w:
    params['conv']['depthwise_bias'] = w[f'{conv}.depthwise_conv.bias']
  statistics = {
    'mean': w[f'{norm}.running_mean'],
    'var': w[f'{norm}.running_var'],
  }
  return params, statistics
