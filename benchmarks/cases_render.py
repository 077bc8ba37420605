"""Blocks of the renderer: F, M, W, G, and a frame (W and G).

The portrait's features are computed once and are inputs of W and of a frame.
"""

from collections.abc import Callable
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import Tensor, nn

from benchmarks import cases
from benchmarks.cases import Case, Setting, in_our_layout, largest
from benchmarks.programs import Theirs, compile_ours
from benchmarks.torch_reference import checkout
from benchmarks.torch_reference import renderer as twins_lib
from benchmarks.torch_reference.blocks import prepare
from benchmarks.torch_reference.motion import refine
from takin_jax import renderer
from takin_jax.config import build

_SEED = 0
_CELLS = 16  # the test picture consists of so many squares per side


class Renderer:
  """The renderer on both sides, with the same weights.

  Attributes:
    model: our config block, folded.
    params: our parameters, folded, on the device.
    twins: prepared PyTorch modules by group.
    small: the small form.
  """

  def __init__(self, setting: Setting):
    self.setting = setting
    config, params = cases.load_model(setting.size)
    model = {name: config['model'][name] for name in renderer.MODULES}
    model['image_size'] = config['model']['image_size']
    # The twins have one volume, and no painter of the mouth.
    model['appearance'] = {**model['appearance'], 'quiet': 1.0}
    self.small = bool(params)
    if self.small:
      twins = twins_lib.load_small(model, params)
      params = {name: params[name] for name in renderer.MODULES}
    else:
      twins, params = twins_lib.random_pair(model, _SEED)
    if setting.liveportrait:
      twins = _their_checkout(setting.liveportrait, twins)
    self.model, params = cases.for_inference(
      {'model': model}, params, setting.dtype
    )
    self.params = setting.put(params)
    self.twins = {
      name: prepare(twin).to(setting.torch_device, setting.torch_dtype)
      for name, twin in twins.items()
    }
    self.image = setting.put(_picture(self.model['image_size']))

  @functools.cached_property
  def source(self) -> Any:
    """The portrait as the engine keeps it."""
    encode = jax.jit(functools.partial(renderer.encode_source, self.model))
    return encode(self.params, self.image)

  @functools.cached_property
  def keypoints(self) -> tuple[jax.Array, jax.Array]:
    """Of the portrait and of a frame: [1, K, 3] each."""
    kp = renderer.source_keypoints(self.source)
    noise = np.random.default_rng(_SEED).standard_normal(kp.shape)
    return kp, kp + 0.05 * jnp.asarray(noise, kp.dtype)

  def tensors(self) -> tuple[Tensor, ...]:
    """Volume(, skip) and both keypoints, as W takes them."""
    features = self.source.features
    volume = self.setting.picture(features['volume'])
    skip = [self.setting.picture(features['skip'])] if self.small else []
    return volume, *skip, *map(self.setting.tensor, self.keypoints)

  def portrait(self) -> Tensor:
    """The picture [1, 3, H, W], float32."""
    image = np.moveaxis(np.asarray(self.image), -1, 1)
    return self.setting.tensor(np.ascontiguousarray(image))


def _picture(size: int) -> np.ndarray:
  """[1, size, size, 3] squares with a little noise, in [0, 1]."""
  rng = np.random.default_rng(_SEED)
  squares = rng.uniform(size=(1, _CELLS, _CELLS, 3))
  squares = squares.repeat(size // _CELLS, 1).repeat(size // _CELLS, 2)
  noise = rng.uniform(size=squares.shape)
  return np.float32(0.8 * squares + 0.2 * noise)


def _their_checkout(
  folder: str, twins: dict[str, nn.Module]
) -> dict[str, nn.Module]:
  """The user's modules with our twins' weights."""
  theirs = checkout.load(folder)
  for name, module in theirs.items():
    try:
      module.load_state_dict(twins[name].state_dict())
    except RuntimeError as error:
      raise checkout.CheckoutError(
        f'{name} of {folder} is of other sizes: {str(error).splitlines()[0]}'
      ) from None
  return theirs


def _network(model: Any, name: str) -> Any:
  module, config = renderer.MODULES[name]
  return module(build(config, model[name]), jnp.dtype(model['dtype']))


class Frame(nn.Module):
  """W and G of the published form."""

  def __init__(self, warping: nn.Module, generator: nn.Module):
    super().__init__()
    self.warping, self.generator = warping, generator

  def forward(self, *args: Tensor) -> Tensor:
    return self.generator(self.warping(*args)['out'])


class SmallFrame(nn.Module):
  """W and G of the small form."""

  def __init__(self, warping: nn.Module, generator: nn.Module):
    super().__init__()
    self.warping, self.generator = warping, generator

  def forward(
    self,
    volume: Tensor,
    skip: Tensor,
    kp_s: Tensor,
    kp_d: Tensor,
    image: Tensor,
  ) -> Tensor:
    warped = self.warping(volume, skip, kp_s, kp_d)
    return self.generator(*warped, image, kp_s, kp_d)


def frame_module(r: Renderer) -> nn.Module:
  """W and G in one module; its inputs are `frame_tensors`."""
  form = SmallFrame if r.small else Frame
  return form(r.twins['warping'], r.twins['generator'])


def frame_tensors(r: Renderer) -> tuple[Tensor, ...]:
  return (*r.tensors(), r.portrait()) if r.small else r.tensors()


def appearance(setting: Setting) -> Case:
  """F: portrait -> feature volume."""
  r = Renderer(setting)

  def ours(params: Any, image: jax.Array) -> Any:
    return renderer.extract_features(r.model, params, image)[0]['volume']

  def difference(a: Any, b: Any) -> float:
    return largest(a, in_our_layout(b[0] if r.small else b))

  twin = r.twins['appearance']
  return Case(
    compile_ours(ours, r.params, r.image),
    Theirs(lambda wrap: wrap(twin), (setting.picture(r.image),), (twin,)),
    difference,
  )


def motion(setting: Setting) -> Case:
  """M: portrait -> canonical keypoints and motion."""
  r = Renderer(setting)

  def ours(params: Any, image: jax.Array) -> Any:
    kp, found = renderer.extract_motion(r.model, params, image)
    return jnp.concatenate([kp.reshape(1, -1), found.to_vector()], -1)

  def make(wrap: Callable) -> Callable:
    network = wrap(r.twins['motion'])

    def theirs(image: Tensor) -> Tensor:
      kp, vector = refine(network(image))
      return torch.cat([kp.flatten(1), vector], 1)

    return theirs

  return Case(
    compile_ours(ours, r.params, r.image),
    Theirs(make, (setting.picture(r.image),), (r.twins['motion'],)),
    lambda a, b: largest(a, b.float().cpu().numpy()),
  )


def warping(setting: Setting) -> Case:
  """W: feature volume and keypoints -> warped features."""
  r = Renderer(setting)

  def difference(a: Any, b: Any) -> float:
    return largest(a['feature'], in_our_layout(b[0] if r.small else b['out']))

  twin = r.twins['warping']
  return Case(
    compile_ours(
      functools.partial(_warp, r.model),
      r.params,
      r.source.features,
      r.keypoints,
    ),
    Theirs(lambda wrap: wrap(twin), r.tensors(), (twin,)),
    difference,
  )


def _warp(model: Any, params: Any, features: Any, keypoints: Any) -> Any:
  """What G needs of W's output."""
  variables = {'params': params['warping']}
  out = _network(model, 'warping').apply(variables, features, *keypoints)
  needed = ('feature', 'flow', 'skip')
  return {name: out[name] for name in needed if name in out}


def generator(setting: Setting) -> Case:
  """G: warped features -> picture."""
  r = Renderer(setting)
  warped = jax.jit(functools.partial(_warp, r.model))(
    r.params, r.source.features, r.keypoints
  )

  def ours(params: Any, warped: Any, image: Any, keypoints: Any) -> Any:
    network = _network(r.model, 'generator')
    variables = {'params': params['generator']}
    return network.apply(variables, warped, image, *keypoints)['image']

  inputs = [setting.picture(warped['feature'])]
  if r.small:
    flow = setting.picture(warped['flow']).float()
    kp = map(setting.tensor, r.keypoints)
    inputs += [flow, setting.picture(warped['skip']), r.portrait(), *kp]
  twin = r.twins['generator']
  return Case(
    compile_ours(ours, r.params, warped, r.image, r.keypoints),
    Theirs(lambda wrap: wrap(twin), tuple(inputs), (twin,)),
    lambda a, b: largest(a, in_our_layout(b)),
  )


def frame(setting: Setting) -> Case:
  """W and G: keypoints -> picture, with the portrait's features cached."""
  r = Renderer(setting)
  module = frame_module(r)
  return Case(
    compile_ours(
      functools.partial(renderer.render, r.model),
      r.params,
      r.source,
      r.keypoints[1],
    ),
    Theirs(lambda wrap: wrap(module), frame_tensors(r), (module,)),
    lambda a, b: largest(a, in_our_layout(b)),
  )
