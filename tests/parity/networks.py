"""The networks of LivePortrait, sized as the tensors of a case say."""

from collections.abc import Callable, Mapping
import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from takin_jax.convert import liveportrait_tables as tables
from takin_jax.convert.apply import apply, check
from takin_jax.convert.tables import Table
from takin_jax.models import appearance, generator, motion, stitching, warping
from tests.golden_case import Case
from tests.parity.layout import to_first, to_last

Tensors = Mapping[str, Any]
HEADS = ('pitch', 'yaw', 'roll', 't', 'exp', 'scale', 'kp')


@dataclasses.dataclass(frozen=True)
class Network:
  """One of our modules under PyTorch's names.

  Attributes:
    table: names of its tensors.
    module: the module.
    method: what to call to initialise it.
    call: `(variables, inputs, **apply options)` -> outputs, or outputs and
      intermediates, in PyTorch's layout.
    init: shapes of the arguments that initialise it.
  """

  table: Table
  module: Any
  call: Callable[..., Any]
  init: tuple[Any, ...]
  method: Any = None

  def variables(self, weights: Tensors) -> dict[str, Any]:
    """Converted weights; fails on any mismatch."""
    target = jax.eval_shape(
      lambda *args: self.module.init(
        jax.random.key(0), *args, method=self.method
      ),
      *self.init,
    )
    result = apply(self.table, weights, target)
    check('The case', result.errors)
    return result.variables


def network(name: str, case: Case) -> Network:
  """The network of a case such as 'warping_tiny'."""
  kind = name.split('_')[0]
  builders = {
    'appearance': _appearance,
    'motion': _motion,
    'warping': _warping,
    'spade': _spade,
  }
  if kind == 'mlp':
    return _mlp(name.split('_')[1], case)
  shapes = {
    table_key: tuple(w.shape)
    for table_key, w in (
      (key.removeprefix('detector.'), w) for key, w in case.weights.items()
    )
  }
  return builders[kind](shapes, case.inputs)


def _count(shapes: Tensors, pattern: str) -> int:
  """How many i there are such that `pattern.format(i)` is a tensor."""
  i = 0
  while pattern.format(i) in shapes:
    i += 1
  return i


def _spec(*shape: int) -> jax.ShapeDtypeStruct:
  return jax.ShapeDtypeStruct(shape, jnp.float32)


def _split(out: Any, options: Any) -> tuple[Any, Any]:
  return out if options else (out, {})


def _appearance(shapes: Tensors, inputs: Tensors) -> Network:
  downs = _count(shapes, 'down_blocks.{}.conv.weight')
  channels = [shapes['first.conv.weight'][0]]
  channels += [shapes[f'down_blocks.{i}.conv.weight'][0] for i in range(downs)]
  c = shapes['resblocks_3d.3dr0.conv1.weight'][0]
  size = inputs['image'].shape[-1]
  module = appearance.AppearanceExtractor(
    appearance.AppearanceConfig(
      input_size=size,
      channels=tuple(channels),
      volume_channels=c,
      depth=shapes['second.weight'][0] // c,
      blocks_3d=_count(shapes, 'resblocks_3d.3dr{}.conv1.weight'),
    )
  )

  def call(variables, inputs, **options):
    out = module.apply(variables, to_last(inputs['image']), **options)
    out, extra = _split(out, options)
    return {'out': to_first(out['volume'])}, extra

  return Network(tables.APPEARANCE, module, call, (_spec(1, size, size, 3),))


def _motion(shapes: Tensors, inputs: Tensors) -> Network:
  dims = [shapes['downsample_layers.0.0.weight'][0]]
  dims += [shapes[f'downsample_layers.{i}.1.weight'][0] for i in (1, 2, 3)]
  depths = [_count(shapes, f'stages.{i}.{{}}.dwconv.weight') for i in range(4)]
  size = inputs['image'].shape[-1]
  module = motion.MotionExtractor(
    motion.MotionConfig(
      input_size=size,
      num_kp=shapes['fc_kp.bias'][0] // 3,
      num_bins=shapes['fc_pitch.bias'][0],
      depths=tuple(depths),
      dims=tuple(dims),
    )
  )

  def call(variables, inputs, **options):
    options.setdefault(
      'capture_intermediates', lambda m, _: (m.name or '').startswith('fc_')
    )
    options['mutable'] = ['intermediates']
    _, extra = module.apply(variables, to_last(inputs['image']), **options)
    heads = extra['intermediates']
    return {k: heads[f'fc_{k}']['__call__'][0] for k in HEADS}, extra

  return Network(tables.MOTION, module, call, (_spec(1, size, size, 3),))


def _warping(shapes: Tensors, inputs: Tensors) -> Network:
  net = 'dense_motion_network.'
  down = net + 'hourglass.encoder.down_blocks.{}.conv.weight'
  blocks = _count(shapes, down)
  module = warping.WarpingModule(
    warping.WarpingConfig(
      compress=shapes[net + 'compress.weight'][0],
      block_expansion=shapes[down.format(0)][0],
      max_features=shapes[down.format(blocks - 1)][0],
      num_blocks=blocks,
      out_channels=shapes['fourth.weight'][0],
    )
  )

  def call(variables, inputs, **options):
    features = {'volume': to_last(inputs['feature'])}
    keypoints = (inputs['kp_source'], inputs['kp_driving'])
    out = module.apply(variables, features, *keypoints, **options)
    out, extra = _split(out, options)
    return {
      'occlusion_map': to_first(out['occlusion']),
      'deformation': out['deformation'],
      'out': to_first(out['feature']),
    }, extra

  _, c, d, h, w = inputs['feature'].shape
  kp = _spec(1, inputs['kp_source'].shape[1], 3)
  init = ({'volume': _spec(1, d, h, w, c)}, kp, kp)
  return Network(tables.WARPING, module, call, init)


def _spade(shapes: Tensors, inputs: Tensors) -> Network:
  ups = _count(shapes, 'up_{}.conv_1.bias')
  module = generator.Generator(
    generator.GeneratorConfig(
      channels=shapes['fc.weight'][0],
      middle_blocks=_count(shapes, 'G_middle_{}.conv_0.bias'),
      up_channels=tuple(shapes[f'up_{i}.conv_1.bias'][0] for i in range(ups)),
      upscale=1 if 'conv_img.weight' in shapes else 2,
    )
  )
  unused = (None, None, None)  # portrait and keypoints: for the small form

  def call(variables, inputs, **options):
    warped = {'feature': to_last(inputs['feature'])}
    out = module.apply(variables, warped, *unused, **options)
    out, extra = _split(out, options)
    return {'out': to_first(out['image'])}, extra

  _, c, h, w = inputs['feature'].shape
  init = ({'feature': _spec(1, h, w, c)}, *unused)
  return Network(tables.GENERATOR, module, call, init)


def _mlp(name: str, case: Case) -> Network:
  key = {'stitching': 'shoulder', 'lip': 'mouth', 'eye': 'eye'}[name]
  layers = [k for k in case.weights if k.endswith('bias')]
  widths = tuple(case.weights[k].shape[0] for k in sorted(layers, key=_number))
  rules = [
    dataclasses.replace(
      rule,
      source='mlp' + rule.source.split('mlp')[1],
      target=rule.target.split('/')[1],
    )
    for rule in tables.STITCHING.rules
    if key in rule.source
  ]
  module = stitching.Mlp(widths)

  def call(variables, inputs, **options):
    out, extra = _split(
      module.apply(variables, inputs['x'], **options), options
    )
    return {'out': out}, extra

  init = (_spec(1, case.inputs['x'].shape[-1]),)
  return Network(Table(tuple(rules)), module, call, init)


def _number(key: str) -> int:
  return int(key.split('.')[1])
