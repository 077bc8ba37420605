"""The renderer as pure functions over the four stage-1 modules.

Source once -> `Source`; per frame `render(source, motion keypoints)`. All
functions take the model block of a config and a params dict with the groups
`appearance`, `motion`, `warping`, `generator` and, for modules with batch or
spectral norm that is not folded, `batch_stats` by module. A model block with
`mouth` has that group too: a painter that refines the small form's frames.
"""

from typing import Any

import jax
import jax.numpy as jnp

from takin_jax.config import build
from takin_jax.models import generator
from takin_jax.models.appearance import AppearanceConfig, AppearanceExtractor
from takin_jax.models.generator import Generator, GeneratorConfig
from takin_jax.models.motion import MotionConfig, MotionExtractor
from takin_jax.models.mouth import MouthConfig, MouthPainter
from takin_jax.models.warping import WarpingConfig, WarpingModule
from takin_jax.nn.folding import fold as fold_norms
from takin_jax.nn.transforms import transform as transform_kernels
from takin_jax.ops.geometry import transform_keypoints
from takin_jax.types import Motion, Source

Params = dict[str, Any]
STATS = 'batch_stats'  # the group of running statistics
# Group -> module and its config, in the order of the data flow.
MODULES = {
  'appearance': (AppearanceExtractor, AppearanceConfig),
  'motion': (MotionExtractor, MotionConfig),
  'warping': (WarpingModule, WarpingConfig),
  'generator': (Generator, GeneratorConfig),
}
# Those that a model has if its block names them.
OPTIONAL = {'mouth': (MouthPainter, MouthConfig)}


def to_float(image: jax.Array) -> jax.Array:
  """uint8 pictures as the networks take them: float32 in [0, 1]."""
  return jnp.asarray(image).astype(jnp.float32) / 255.0


def to_uint8(image: jax.Array) -> jax.Array:
  """Pictures that should be in [0, 1] as uint8, rounded to the nearest."""
  return (jnp.clip(image, 0.0, 1.0) * 255.0 + 0.5).astype(jnp.uint8)


def init(model: Any, key: jax.Array) -> Params:
  """Fresh parameters and statistics of the four modules, by group.

  Args:
    model: config block, with `image_size` of the portraits.
    key: random key.
  """
  keys = jax.random.split(key, 4)
  image = jnp.zeros((1, model['image_size'], model['image_size'], 3))
  modules = {name: _module(model, name) for name in MODULES}
  kp = jnp.zeros((1, modules['motion'].cfg.num_kp, 3))
  features, appearance = modules['appearance'].init_with_output(keys[0], image)
  motion = modules['motion'].init(keys[1], image)
  warped, warping = modules['warping'].init_with_output(
    keys[2], features, kp, kp
  )
  painter = modules['generator'].init(keys[3], warped, image, kp, kp)
  variables = dict(
    zip(MODULES, (appearance, motion, warping, painter), strict=True)
  )
  if 'mouth' in model:
    pictures = (image,) * 3
    variables['mouth'] = _module(model, 'mouth').init(
      jax.random.fold_in(key, 4), *pictures, kp, kp
    )
  params = {}
  for name, group in variables.items():
    params[name] = group['params']
    if STATS in group:
      params.setdefault(STATS, {})[name] = group[STATS]
  return params


def fold(model: Any, params: Params) -> tuple[dict[str, Any], Params]:
  """Model block and parameters for inference, on any backend.

  Norms with statistics become part of the convolutions, and the generator's
  SPADE blocks take the layout of `nn/spade_folded.py`. Does nothing more when
  repeated.

  Args:
    model: config block.
    params: float32 parameters by group.

  Returns:
    Both, changed for the modules that have something to fold.
  """
  model = {name: block for name, block in model.items()}
  params = dict(params)
  for name, stats in params.pop(STATS, {}).items():
    params[name] = fold_norms(params[name], stats)
    if name == 'generator':
      params[name] = generator.fold(params[name])
    model[name] = {**dict(model[name].items()), 'folded': True}
  return model, params


def transform(model: Any, params: Params) -> Params:
  """Folded parameters with kernels transformed for the default backend.

  Args:
    model: config block, with `image_size` and `dtype`.
    params: of `fold`; groups of some of the modules only are left alone.
  """
  params = dict(params)

  def run(name: str, *args: Any) -> Any:
    module = _module(model, name)
    params[name], out = transform_kernels(module, params[name], *args)
    return out

  needed = [name for name in (*MODULES, *OPTIONAL) if name in model]
  if any(name not in params for name in needed):
    return params
  size = model['image_size']
  image = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
  num_kp = _module(model, 'motion').cfg.num_kp
  kp = jax.ShapeDtypeStruct((1, num_kp, 3), jnp.float32)
  warped = run('warping', run('appearance', image), kp, kp)
  run('generator', warped, image, kp, kp)
  if 'mouth' in model:
    run('mouth', image, image, image, kp, kp)
  return params


def _module(model: Any, name: str) -> Any:
  """The module of a group, in the compute type `model.dtype`."""
  module, config = (MODULES | OPTIONAL)[name]
  dtype = jnp.dtype(model.get('dtype', 'float32'))
  return module(build(config, model[name]), dtype)


def _apply(
  model: Any, params: Params, name: str, *args: Any, train: bool = False
) -> tuple[Any, Params]:
  """A module's output, and in training its new statistics by group."""
  module, variables = _module(model, name), {'params': params[name]}
  if name not in params.get(STATS, {}):
    return module.apply(variables, *args), {}
  variables[STATS] = params[STATS][name]
  if not train:
    return module.apply(variables, *args), {}
  out, new = module.apply(variables, *args, train=True, mutable=[STATS])
  return out, {name: new[STATS]}


def extract_motion(
  model: Any, params: Params, image: jax.Array
) -> tuple[jax.Array, Motion]:
  """Reads canonical keypoints [B, K, 3] and motion off pictures.

  Args:
    model: config block with a `motion` entry.
    params: has the group `motion`.
    image: [B, H, W, 3] in [0, 1].

  Returns:
    Canonical keypoints and motion, float32.
  """
  return _apply(model, params, 'motion', image)[0]


def extract_features(
  model: Any, params: Params, image: jax.Array, train: bool = False
) -> tuple[dict[str, jax.Array], Params]:
  """Appearance features of [B, H, W, 3] in [0, 1], and new statistics."""
  return _apply(model, params, 'appearance', image, train=train)


def encode_source(model: Any, params: Params, image: jax.Array) -> Source:
  """Everything that is computed once per portrait [B, H, W, 3] in [0, 1]."""
  features, _ = extract_features(model, params, image)
  kp, motion = extract_motion(model, params, image)
  return Source(image=image, features=features, kp=kp, motion=motion)


def source_keypoints(source: Source) -> jax.Array:
  """The portrait's keypoints in its own picture: [B, K, 3]."""
  return transform_keypoints(source.kp, source.motion)


def warp_and_generate(
  model: Any,
  params: Params,
  image: jax.Array,
  features: dict[str, jax.Array],
  kp_source: jax.Array,
  kp_driving: jax.Array,
  train: bool = False,
) -> dict[str, Any]:
  """One frame with everything the losses look at.

  Args:
    model: config block with `warping` and `generator`.
    params: has the groups `warping` and `generator`.
    image: [B, H, W, 3] the portrait.
    features: the appearance extractor's output.
    kp_source: [B, K, 3] keypoints in the portrait.
    kp_driving: [B, K, 3] keypoints of the frame to make.
    train: norms use the batch's own statistics.

  Returns:
    `image` [B, H', W', 3], about [0, 1], and the modules' by-products. The
    small form's picture is `warped` + `residual`, and `flow` makes `warped`:
    so it can be made at any size. A mouth painter also tells its share
    `inside` (`paint` - `warped`) of the residual, see `models/mouth.py`. In
    training, if there are such norms, also `batch_stats` by module.
  """
  pair = (kp_source, kp_driving)
  warped, new = _apply(model, params, 'warping', features, *pair, train=train)
  frame, more = _apply(
    model, params, 'generator', warped, image, *pair, train=train
  )
  if 'mouth' in model:
    pictures = (image, frame['warped'], frame['residual'])
    frame |= _apply(model, params, 'mouth', *pictures, *pair)[0]
  stats = {STATS: new | more} if new or more else {}
  return {**warped, **frame, **stats}


def render(
  model: Any, params: Params, source: Source, kp_driving: jax.Array
) -> jax.Array:
  """One frame: [B, H', W', 3] in [0, 1] for driving keypoints [B, K, 3]."""
  return warp_and_generate(
    model,
    params,
    source.image,
    source.features,
    source_keypoints(source),
    kp_driving,
  )['image']
