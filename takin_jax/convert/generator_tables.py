"""Tables of the public motion generators of JoyVASA and Ditto."""

from takin_jax.convert.tables import (
  KERNEL,
  NORM,
  Array,
  Rule,
  Table,
  channels_last,
  same,
  without_batch,
)

_ATTENTION = {
  'in_proj_weight': ('params', 'in_kernel', channels_last),
  'in_proj_bias': ('params', 'in_bias', same),
}


def _values(x: Array) -> Array:
  """The part of the values of a projection to queries, keys and values."""
  return x[2 * x.shape[0] // 3 :]


def _value_kernel(x: Array) -> Array:
  return channels_last(_values(x))


_LAYER = r'denoising_net\.transformer\.layers\.(\d+)\.'
JOYVASA = Table(
  (
    Rule('audio_feature_map', 'speech_map', KERNEL),
    Rule(r'denoising_net\.feature_proj', 'motion_in', KERNEL),
    Rule(r'denoising_net\.diff_step_map\.0', 'step_in', KERNEL),
    Rule(r'denoising_net\.diff_step_map\.2', 'step_out', KERNEL),
    Rule(r'denoising_net\.motion_dec\.0', 'out_in', KERNEL),
    Rule(r'denoising_net\.motion_dec\.2', 'out_out', KERNEL),
    Rule(
      _LAYER + r'self_attn\.out_proj', r'layers_\1/self_attention/out', KERNEL
    ),
    Rule(_LAYER + 'self_attn', r'layers_\1/self_attention', _ATTENTION),
    Rule(_LAYER + r'multihead_attn\.out_proj', r'layers_\1/speech_out', KERNEL),
    # A frame sees its own speech alone: queries and keys change nothing.
    Rule(
      _LAYER + 'multihead_attn',
      r'layers_\1/speech_in',
      {
        'in_proj_weight': ('params', 'kernel', _value_kernel),
        'in_proj_bias': ('params', 'bias', _values),
      },
    ),
    Rule(_LAYER + 'linear1', r'layers_\1/ffn_in', KERNEL),
    Rule(_LAYER + 'linear2', r'layers_\1/ffn_out', KERNEL),
    Rule(_LAYER + r'norm(\d)', r'layers_\1/norm\2', NORM),
  ),
  ignored={
    r'denoising_net\.(TE|PE)\.pe': 'sinusoids, which are computed',
    r'(denoising_net\.)?alignment_mask': 'a frame sees its own speech alone',
    r'diffusion_sched\..*': 'the schedule, which is computed',
    r'audio_encoder\..*': 'the public speech encoder, converted by itself',
  },
  single={
    'start_motion_feat': ('start_motion', without_batch),
    'start_audio_feat': ('start_speech', without_batch),
    'null_audio_feat': ('null_speech', lambda x: x.reshape(-1)),
  },
)

_COND, _STACK = r'cond_encoder\.(\d)\.', r'seqTransDecoder\.stack\.(\d+)\.'
DITTO = Table(
  (
    Rule('cond_projection', 'cond_in', KERNEL),
    Rule(r'non_attn_cond_projection\.0', 'hidden_norm', NORM),
    Rule(r'non_attn_cond_projection\.1', 'hidden_in', KERNEL),
    Rule(r'non_attn_cond_projection\.3', 'hidden_out', KERNEL),
    Rule(r'time_mlp\.1', 'step_in', KERNEL),
    Rule(r'to_time_cond\.0', 'step_hidden', KERNEL),
    Rule(r'to_time_tokens\.0', 'step_tokens', KERNEL),
    Rule('norm_cond', 'token_norm', NORM),
    Rule('input_projection', 'motion_in', KERNEL),
    Rule('final_layer', 'motion_out', KERNEL),
    *(
      rule
      for source, ours in ((_COND, 'cond_blocks'), (_STACK, 'blocks'))
      for rule in (
        Rule(
          source + r'self_attn\.out_proj',
          rf'{ours}_\1/self_attention/out',
          KERNEL,
        ),
        Rule(source + 'self_attn', rf'{ours}_\1/self_attention', _ATTENTION),
        Rule(
          source + r'multihead_attn\.out_proj',
          rf'{ours}_\1/cross_attention/out',
          KERNEL,
        ),
        Rule(
          source + 'multihead_attn', rf'{ours}_\1/cross_attention', _ATTENTION
        ),
        Rule(source + 'linear1', rf'{ours}_\1/ffn_in', KERNEL),
        Rule(source + 'linear2', rf'{ours}_\1/ffn_out', KERNEL),
        Rule(source + r'norm(\d)', rf'{ours}_\1/norm\2', NORM),
        Rule(source + r'film(\d)\.block\.1', rf'{ours}_\1/film\2', KERNEL),
      )
    ),
  ),
  ignored={
    r'(.*\.)?rotary\.(freqs|inv_freq)': 'rates of the positions, computed',
    r'abs_pos_encoding\.pe': 'sinusoids that are not used with rotary ones',
    r'time_mlp\.0\..*': 'sinusoids, which are computed',
  },
  single={
    'null_cond_embed': ('null_tokens', without_batch),
    'null_cond_hidden': ('null_hidden', without_batch),
  },
)
