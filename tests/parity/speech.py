"""HuBERT and Conformer cases."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.convert import hubert as hubert_lib
from takin_jax.convert.apply import apply, check
from takin_jax.models.hubert import Hubert
from takin_jax.nn import conformer as conformer_lib
from tests import golden_case, golden_params
from tests.golden_case import Case
from tests.parity import anitalker
from tests.parity.report import Check, difference

MASKED_SAMPLES = 2000  # at the end of the second utterance
MASKED_FROM = 12  # frame of the second sequence, Conformer cases
GRADIENT_LIMIT = 1e-4


def hubert(name: str, folder: Path) -> list[Check]:
  """Hidden states, the masked run and gradients."""
  case = golden_case.load(name, folder)
  limit = 5e-5 if name.endswith('large') else 2e-5
  module = Hubert(hubert_lib.model_config(case.spec['config'], False))
  raw = Hubert(module.cfg, raw_last=True)
  wave = case.inputs['wave']

  def convert(weights):
    target = jax.eval_shape(module.init, jax.random.key(0), wave[:1, :400])
    result = apply(hubert_lib.TABLE, weights, target)
    check('The case', result.errors)
    return result.variables

  @jax.jit
  def run(weights, wave):
    variables, last = convert(weights), module.cfg.layers
    states = module.apply(variables, wave)
    out = {f'hidden_{i}': state for i, state in enumerate(states)}
    mix = jax.nn.softmax(jnp.asarray(case.arrays['layer_logits']))
    out['weighted_sum'] = jnp.tensordot(mix, states, 1)
    if f'raw_{last}' in case.arrays:
      out[f'raw_{last}'] = raw.apply(variables, wave)[-1]
    if 'masked_last_hidden' in case.arrays:
      mask = np.ones(wave.shape, bool)
      mask[1, -MASKED_SAMPLES:] = False
      silent = jnp.where(mask, wave, 0)
      states = module.apply(variables, silent, mask)
      out['masked_last_hidden'] = states[-1]
    return out

  checks = [
    Check(k, case.check(k, v), limit)
    for k, v in run(case.weights, wave).items()
  ]
  if 'grad:wave' not in case.arrays:
    return checks

  def last_state(weights, wave):
    return module.apply(convert(weights), wave)[-1]

  gradients = _gradients(case, last_state, wave, case.spec['loss'], 'grad:wave')
  return checks + gradients


def conformer(name: str, folder: Path) -> list[Check]:
  """Attention, one layer, the encoder with and without mask, gradients."""
  case = golden_case.load(name, folder)
  if 'decoder_layers' in case.spec['config']:
    return anitalker.motion_generator(case)
  sizes, hf = case.spec['config'], 'hidden_size' in case.spec['config']
  if hf:
    cfg = conformer_lib.ConformerConfig(
      dim=sizes['hidden_size'],
      layers=sizes['num_hidden_layers'],
      heads=sizes['num_attention_heads'],
      ffn_dim=sizes['intermediate_size'],
      kernel=sizes['conv_depthwise_kernel_size'],
      conv_norm='batch',
      conv_bias=False,
      norm_eps=sizes['layer_norm_eps'],
    )
  else:
    cfg = conformer_lib.ConformerConfig(
      dim=sizes['attention_dim'],
      layers=sizes['num_blocks'],
      heads=sizes['attention_heads'],
      ffn_dim=sizes['linear_units'],
      kernel=sizes['cnn_module_kernel'],
      norm_first=sizes['normalize_before'],
      conv_norm='batch',
      norm_eps=1e-12,
      scale_input=True,
      zero_padding=False,
    )
  module = conformer_lib.Conformer(cfg)

  def encode(weights, x, mask=None):
    variables = golden_params.conformer(weights, cfg.layers)
    return module.apply(variables, x, mask)

  x = case.inputs['x']
  mask = np.ones(x.shape[:2], bool)
  mask[1, MASKED_FROM:] = False
  table = conformer_lib.relative_positions(x.shape[1], cfg.dim)[None]
  outputs = {
    'encoder': jax.jit(encode)(case.weights, x),
    'encoder_masked': jax.jit(encode)(case.weights, x, mask),
    'rel_pos_embedding': table,
    **_first_layer(cfg, case, x),
  }
  checks = [Check(k, case.check(k, v), 2e-5) for k, v in outputs.items()]
  wanted = case.spec['grads']['loss']
  return checks + _gradients(case, encode, x, wanted, 'grad:input:x')


def _first_layer(cfg: Any, case: Case, x: np.ndarray) -> dict[str, Any]:
  """Parts of layer 0 on what the reference gave them."""
  variables = golden_params.conformer(case.weights, cfg.layers)
  params = variables['params']['layer_0']
  positions = conformer_lib.relative_positions(x.shape[1], cfg.dim)
  attention, extra = conformer_lib.RelativeAttention(cfg).apply(
    {'params': params['attention']}, x, positions, mutable=['intermediates']
  )
  layer = {k: v['layer_0'] for k, v in variables.items()}
  # The reference's layer got what the encoder makes of its input.
  start = x * np.float32(cfg.dim**0.5) if cfg.scale_input else x
  whole = conformer_lib.ConformerLayer(cfg).apply(layer, start, positions)
  return {
    'self_attn': attention,
    'self_attn_weights': extra['intermediates']['weights'][0],
    'layer0': whole,
  }


def _gradients(
  case: Case, forward: Any, x: np.ndarray, loss: float, key: str
) -> list[Check]:
  weight = case.random(
    'cotangent',
    case.arrays['hidden_0'].shape if 'hidden_0' in case.arrays else x.shape,
  )

  def total(weights, x):
    return (forward(weights, x) * weight).sum() / np.sqrt(weight.size)

  weights = {k: v for k, v in case.weights.items() if v.dtype == np.float32}
  value, (for_weights, for_x) = jax.jit(
    jax.value_and_grad(total, argnums=(0, 1))
  )(weights, x)
  want = case.arrays[key]
  size = np.abs(want).max()
  return [
    Check('loss', difference(value, loss), GRADIENT_LIMIT),
    Check('grad input', difference(for_x, want) / size, GRADIENT_LIMIT),
    Check('grad parameters', case.check_gradients(for_weights), GRADIENT_LIMIT),
  ]
