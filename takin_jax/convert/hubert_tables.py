"""Table of transformers' HubertModel and HubertForCTC."""

from takin_jax.convert.tables import KERNEL, NORM, WEIGHT_NORM, Rule, Table

_LAYER = r'encoder\.layers\.(\d+)\.'
HUBERT = Table(
  (
    Rule(
      r'feature_extractor\.conv_layers\.(\d+)\.conv',
      r'feature_extractor/conv_\1',
      KERNEL,
    ),
    Rule(
      r'feature_extractor\.conv_layers\.(\d+)\.layer_norm',
      r'feature_extractor/norm_\1',
      NORM,
    ),
    Rule(r'feature_projection\.layer_norm', 'projection_norm', NORM),
    Rule(r'feature_projection\.projection', 'projection', KERNEL),
    Rule(r'encoder\.pos_conv_embed\.conv', 'pos_conv', WEIGHT_NORM),
    Rule(r'encoder\.layer_norm', 'layer_norm', NORM),
    Rule(
      _LAYER + r'attention\.((?:q|k|v|out)_proj)',
      r'layer_\1/attention/\2',
      KERNEL,
    ),
    Rule(_LAYER + r'((?:final_)?layer_norm)', r'layer_\1/\2', NORM),
    Rule(
      _LAYER + r'feed_forward\.intermediate_dense', r'layer_\1/ffn_in', KERNEL
    ),
    Rule(_LAYER + r'feed_forward\.output_dense', r'layer_\1/ffn_out', KERNEL),
  ),
  ignored={
    'masked_spec_embed': 'only masks frames in pre-training',
    r'lm_head\.(weight|bias)': 'reads letters, not needed for hidden states',
  },
  prefixes=('module.', 'hubert.'),
)
