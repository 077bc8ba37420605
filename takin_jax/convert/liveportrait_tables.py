"""Tables of the files that LivePortrait publishes, and of the discriminator.

Source: the state dicts of github.com/KwaiVGI/LivePortrait (MIT licence), and
of the public face-vid2vid code.
"""

from takin_jax.convert.tables import (
  BATCH_NORM,
  KERNEL,
  NORM,
  RESPONSE_NORM,
  Rule,
  Table,
  spectral,
)

APPEARANCE = Table(
  (
    Rule(r'first\.conv', 'first/conv/conv', KERNEL),
    Rule(r'first\.norm', 'first/norm', BATCH_NORM),
    Rule(r'down_blocks\.(\d+)\.conv', r'down\1/conv/conv', KERNEL),
    Rule(r'down_blocks\.(\d+)\.norm', r'down\1/norm', BATCH_NORM),
    Rule(r'second', 'second/conv', KERNEL),
    Rule(r'resblocks_3d\.3dr(\d+)\.(conv\d)', r'res3d\1/\2/conv', KERNEL),
    Rule(r'resblocks_3d\.3dr(\d+)\.(norm\d)', r'res3d\1/\2', BATCH_NORM),
  )
)

_BLOCK = r'stages\.(\d+)\.(\d+)\.'
_OUR_BLOCK = r'backbone/stage\1_block\2/'
MOTION = Table(
  (
    Rule(r'downsample_layers\.0\.0', 'backbone/downsample0_conv', KERNEL),
    Rule(r'downsample_layers\.0\.1', 'backbone/downsample0_norm', NORM),
    Rule(r'downsample_layers\.(\d)\.0', r'backbone/downsample\1_norm', NORM),
    Rule(r'downsample_layers\.(\d)\.1', r'backbone/downsample\1_conv', KERNEL),
    Rule(_BLOCK + r'(dwconv|pwconv1|pwconv2)', _OUR_BLOCK + r'\3', KERNEL),
    Rule(_BLOCK + 'norm', _OUR_BLOCK + 'norm', NORM),
    Rule(_BLOCK + 'grn', _OUR_BLOCK + 'grn', RESPONSE_NORM),
    Rule('norm', 'backbone/norm', NORM),
    Rule(r'(fc_(?:kp|scale|pitch|yaw|roll|t|exp))', r'\1', KERNEL),
  ),
  prefixes=('module.', 'detector.'),
)

_DENSE = r'dense_motion_network\.'
_HOURGLASS = _DENSE + r'hourglass\.'
WARPING = Table(
  (
    Rule(
      _HOURGLASS + r'encoder\.down_blocks\.(\d+)\.conv',
      r'dense_motion/hourglass/down\1/conv/conv',
      KERNEL,
    ),
    Rule(
      _HOURGLASS + r'encoder\.down_blocks\.(\d+)\.norm',
      r'dense_motion/hourglass/down\1/norm',
      BATCH_NORM,
    ),
    Rule(
      _HOURGLASS + r'decoder\.up_blocks\.(\d+)\.conv',
      r'dense_motion/hourglass/up\1/conv/conv',
      KERNEL,
    ),
    Rule(
      _HOURGLASS + r'decoder\.up_blocks\.(\d+)\.norm',
      r'dense_motion/hourglass/up\1/norm',
      BATCH_NORM,
    ),
    Rule(
      _HOURGLASS + r'decoder\.conv',
      'dense_motion/hourglass/out/conv/conv',
      KERNEL,
    ),
    Rule(
      _HOURGLASS + r'decoder\.norm',
      'dense_motion/hourglass/out/norm',
      BATCH_NORM,
    ),
    Rule(_DENSE + 'compress', 'dense_motion/compress/conv/conv', KERNEL),
    Rule(_DENSE + 'norm', 'dense_motion/compress/norm', BATCH_NORM),
    Rule(_DENSE + '(mask|occlusion)', r'dense_motion/\1/conv', KERNEL),
    Rule(r'third\.conv', 'third/conv/conv', KERNEL),
    Rule(r'third\.norm', 'third/norm', BATCH_NORM),
    Rule(r'fourth', 'fourth/conv', KERNEL),
  )
)

_SPADE = r'(?:G_(middle)_|(up)_)(\d+)\.'
GENERATOR = Table(
  (
    Rule('fc', 'fc/conv', KERNEL),
    Rule(_SPADE + r'conv_([01])', r'\1\2\3/conv\4', spectral(3)),
    Rule(_SPADE + r'conv_s', r'\1\2\3/conv_s', spectral(1)),
    Rule(
      _SPADE + r'norm_([01])\.mlp_shared\.0',
      r'\1\2\3/norm\4/shared/conv',
      KERNEL,
    ),
    Rule(
      _SPADE + r'norm_([01])\.mlp_(gamma|beta)',
      r'\1\2\3/norm\4/\5/conv',
      KERNEL,
    ),
    Rule(
      _SPADE + r'norm_s\.mlp_shared\.0', r'\1\2\3/norm_s/shared/conv', KERNEL
    ),
    Rule(
      _SPADE + r'norm_s\.mlp_(gamma|beta)', r'\1\2\3/norm_s/\4/conv', KERNEL
    ),
    Rule(r'conv_img(?:\.0)?', 'conv_img/conv', KERNEL),
  )
)


def _mlp(source: str, target: str, layers: int) -> list[Rule]:
  """Every second layer of a torch Sequential is a dense one."""
  return [
    Rule(rf'{source}\.(?:module\.)?mlp\.{2 * i}', f'{target}/dense{i}', KERNEL)
    for i in range(layers)
  ]


STITCHING = Table(
  (
    *_mlp('retarget_shoulder', 'stitching', 4),
    *_mlp('retarget_mouth', 'lip', 4),
    *_mlp('retarget_eye', 'eye', 6),
  )
)

_DISC = r'discs\.1\.'
DISCRIMINATOR = Table(
  (
    Rule(_DISC + r'down_blocks\.(\d+)\.conv', r'conv\1', spectral(4)),
    Rule(_DISC + r'down_blocks\.(\d+)\.norm', r'norm\1', NORM),
    Rule(_DISC + 'conv', 'scores', spectral(1)),
  )
)
