"""AniTalker's whole motion generator, put together from our Conformer.

Concatenated conditions and a raw step are AniTalker's; ours differ (see
`models/denoiser.py`). The case shows that mix, down-sampling and both stacks of
Conformers are the same at full width.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.models.denoiser import StateMix
from takin_jax.nn.conformer import Conformer, ConformerConfig
from tests import golden_params
from tests.golden_case import Case
from tests.parity.report import Check

LIMIT = 5e-5  # 12 layers of width 512 and 1024


def motion_generator(case: Case) -> list[Check]:
  """Every stage on what our stage before gave."""
  weights, inputs = case.weights, case.inputs
  mixed = _mix(weights, inputs['hubert'])
  speech = _stack(weights, 'speech_encoder', 4, mixed)
  frames = speech.shape[1]

  def linear(name: str, x: np.ndarray) -> jax.Array:
    return x @ weights[f'{name}.weight'].T + weights[f'{name}.bias']

  def repeated(x: jax.Array) -> jax.Array:
    return jnp.repeat(x[:, None], frames, 1)

  step = np.full((1, 1), case.spec['config']['timestep'], np.float32)
  joined = [
    speech,
    repeated(linear('encoder_direction_code', inputs['direction_code'])),
    repeated(linear('init_code_proj.0', inputs['initial_code'])),
    linear('noisy_encoder.0', inputs['noisy_x']),
    repeated(linear('t_encoder.0', step)),
  ]
  joined = jnp.concatenate(joined, -1)
  layers = case.spec['config']['decoder_layers']
  decoded = _stack(weights, 'coarse_decoder', layers, joined)
  outputs = {
    'down_sample1': mixed.swapaxes(1, 2),
    'speech_encoder': speech,
    'decoder_input': joined,
    'coarse_decoder': decoded,
    'eps': linear('out_proj', decoded),
  }
  return [Check(k, case.check(k, v), LIMIT) for k, v in outputs.items()]


def _mix(weights: dict[str, np.ndarray], states: np.ndarray) -> jax.Array:
  """[1, L + 1, 2T, E] hidden states -> [1, T, 512]."""
  kernel = weights['down_sample1.weight'].transpose(2, 1, 0)
  params = {
    'logits': weights['weights'],
    'downsample': {'kernel': kernel, 'bias': weights['down_sample1.bias']},
  }
  module: nn.Module = StateMix(kernel.shape[-1])
  return module.apply({'params': params}, states.swapaxes(0, 1))


def _stack(
  weights: dict[str, np.ndarray], name: str, layers: int, x: jax.Array
) -> jax.Array:
  """espnet's post-norm encoder as AniTalker calls it."""
  own = {
    key.removeprefix(f'{name}.'): value
    for key, value in weights.items()
    if key.startswith(f'{name}.')
  }
  first = 'encoders.0'
  cfg = ConformerConfig(
    dim=x.shape[-1],
    layers=layers,
    heads=own[f'{first}.self_attn.pos_bias_u'].shape[0],
    ffn_dim=own[f'{first}.feed_forward.w_1.weight'].shape[0],
    kernel=own[f'{first}.conv_module.depthwise_conv.weight'].shape[-1],
    norm_first=False,
    conv_norm='batch',
    norm_eps=1e-12,
    scale_input=True,
    zero_padding=False,
  )
  return Conformer(cfg).apply(golden_params.conformer(own, layers), x)
