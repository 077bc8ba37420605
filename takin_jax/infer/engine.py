"""The compiled programs of one loaded model.

In: a weights folder's config and parameters. Out: executables for fixed shapes,
compiled before the first use: portrait -> `Source`, chunk of speech -> motion,
motion -> frames, driving frame -> frame. Pictures go in and come out as uint8.
"""

from collections.abc import Callable
import concurrent.futures
import dataclasses
import functools
import pathlib
from typing import Any

import flax.errors
import jax
import jax.numpy as jnp
import numpy as np

from takin_jax import compilation, face, renderer
from takin_jax.animation import speech_step
from takin_jax.animation.chunks import ChunkConfig
from takin_jax.animation.controls import Controls
from takin_jax.config import build, to_json
from takin_jax.diffusion.schedule import DiffusionConfig
from takin_jax.errors import InputError
from takin_jax.infer import executables, programs
from takin_jax.types import Motion, Source

Params = dict[str, Any]

DEFAULT_IMAGE_PX = 256
# What each program takes of the weights, and what it can do without; `prepare`
# is the first to run.
GROUPS = {
  'prepare': tuple(renderer.MODULES),
  'motion': ('motion',),
  'source': ('appearance',),
  'speech': ('speech', 'denoiser', 'stats', 'emotions'),
  'frames': ('warping', 'generator'),
  'reenact': ('warping', 'generator'),
}
_OPTIONAL = {'emotions'}


def pick_device(name: str = 'auto') -> jax.Device:
  """The device of that kind: `auto`, `cpu`, `gpu`, `tpu` or e.g. `gpu:1`.

  It becomes the default device, for which `ops/conv.py` chooses its forms.

  Raises:
    InputError: if there is none.
  """
  kind, _, index = name.partition(':')
  try:
    devices = jax.devices(None if kind == 'auto' else kind)
    device = devices[int(index or 0)]
  except (RuntimeError, ValueError, IndexError):
    found = ', '.join(str(device) for device in jax.devices())
    raise InputError(
      f'There is no device {name!r} here: JAX finds {found}.'
    ) from None
  jax.config.update('jax_default_device', device)
  return device


class Engine:
  """One model on one device, compiled when made.

  Args:
    config: the weights' config: `name` and the blocks `model` and, for
      speech, `diffusion`.
    params: their parameters by group.
    device: where to run.
    video: compile for driving videos instead of speech.
    plan: how sound is cut; None: windows as in training.
    batch: frames per call, a divisor of the chunk.
    store: folder of compiled programs (`executables.py`); None: none.

  Raises:
    InputError: if the weights lack what is needed, or do not fit the config.
  """

  def __init__(
    self,
    config: Any,
    params: Params,
    device: jax.Device,
    video: bool = False,
    plan: ChunkConfig | None = None,
    batch: int = 1,
    store: pathlib.Path | None = None,
  ):
    self.config, self.batch, self._video = config, batch, video
    self.size_px = config.model.get('image_size', DEFAULT_IMAGE_PX)
    if not video:
      self.plan = plan or ChunkConfig(chunk=self.diffusion.window)
      if self.plan.chunk % batch:
        raise ValueError(f'{batch} does not divide {self.plan.chunk} frames.')
    self._sharding = jax.sharding.SingleDeviceSharding(device)
    names = ('reenact',) if video else ('speech', 'frames')
    self._params = self._load(params, ('motion', 'source', *names))
    self._device, self._store = device, store
    self._programs = self._ready(self._trace_prepare)
    self._params |= self._run('prepare')  # while the others are read
    self._programs |= self._ready(self._trace_all)

  @property
  def diffusion(self) -> DiffusionConfig:
    """How speech becomes motion."""
    return build(DiffusionConfig, self.config.diffusion)

  def source(self, image: np.ndarray) -> Source:
    """Encodes a portrait, [size_px, size_px, 3] uint8."""
    return self._run('source', image, self._run('motion', image))

  def first_state(self, seed: int) -> speech_step.SpeechState:
    """The state before any sound."""
    dim = self._params['stats']['mean'].shape[0]
    return speech_step.first_state(self.diffusion, self.plan, dim, seed)

  def speech(
    self,
    state: speech_step.SpeechState,
    sound: np.ndarray,
    source: Source,
    controls: Controls,
  ) -> tuple[speech_step.SpeechState, Motion]:
    """Motion of one chunk of sound, see `speech_step.speech_step`."""
    return self._run('speech', state, sound, source, controls)

  def frames(self, source: Source, motions: Motion, first: int) -> jax.Array:
    """Starts `batch` frames of a chunk's motions: [batch, H, W, 3] uint8."""
    return self._run('frames', source, motions, np.int32(first))

  def motion(self, image: np.ndarray) -> Motion:
    """Reads the motion of a driving frame."""
    return self._run('motion', image)[1]

  def reenact(
    self,
    source: Source,
    first: Motion,
    image: np.ndarray,
    controls: Controls,
  ) -> jax.Array:
    """Starts the frame for a driving frame: [1, H, W, 3] uint8."""
    motion = self.motion(image)
    return self._run('reenact', source, first, motion, controls)

  def _run(self, name: str, *args: Any) -> Any:
    return self._programs[name](self._groups(name), *args)

  def _groups(self, name: str) -> Params:
    """The parameters of one program."""
    return {k: self._params[k] for k in GROUPS[name] if k in self._params}

  def _load(self, params: Params, names: tuple[str, ...]) -> Params:
    """Puts the groups that the named programs need on the device."""
    groups = sorted({group for name in names for group in GROUPS[name]})
    missing = [k for k in groups if k not in params and k not in _OPTIONAL]
    if missing:
      raise InputError(
        f'The weights of {self.config.name!r} have no '
        f'{" and no ".join(missing)}'
        ', which this needs: train and export them, or take other weights.'
      )
    chosen = {group: params[group] for group in groups if group in params}
    return jax.device_put(chosen, self._sharding)

  def _ready(self, trace: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Programs from the store, or compiled and stored."""
    if self._store is None:
      return _compile(self._traced(trace))
    key = self._key(trace.__name__)
    stored = executables.load(self._store, key, self._device)
    if stored is None:
      with compilation.bypass_cache():
        stored = _compile(self._traced(trace))
      executables.save(self._store, key, stored)
    return stored

  def _key(self, name: str) -> str:
    """Names everything that the compiled programs depend on."""
    shapes = jax.tree.map(lambda x: (x.shape, str(x.dtype)), self._params)
    plan = None if self._video else dataclasses.astuple(self.plan)
    facts = (to_json(self.config), str(shapes), self._video, plan, self.batch)
    return executables.key(self._device, name, *facts)

  def _traced(self, trace: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
      return trace()
    except (flax.errors.FlaxError, ValueError) as error:
      raise InputError(
        f'The weights do not fit their config {self.config.name!r}: '
        f'{str(error).splitlines()[0]}'
      ) from error

  def _trace_prepare(self) -> dict[str, Any]:
    return {'prepare': self._trace('prepare', self._bound(programs.prepare))}

  def _trace_all(self) -> dict[str, Any]:
    image = jax.ShapeDtypeStruct((self.size_px, self.size_px, 3), jnp.uint8)
    read = self._trace('motion', self._bound(programs.read_motion), image)
    seen = read.out_info
    encode = self._bound(programs.encode_source)
    encode = self._trace('source', encode, image, seen)
    source = encode.out_info
    shared = {'motion': read, 'source': encode}
    if self._video:
      controls = Controls().as_arrays(3 * source.kp.shape[-2])
      reenact = self._bound(programs.reenact)
      make = self._trace('reenact', reenact, source, seen[1], seen[1], controls)
      return shared | {'reenact': make}
    exp_dim = self._params['stats']['mean'].shape[0] - face.HEAD_DIM
    speech = self._trace(
      'speech',
      functools.partial(speech_step.speech_step, self.config, self.plan),
      self.first_state(0),
      jax.ShapeDtypeStruct((self.plan.sound_samples,), jnp.float32),
      source,
      Controls().as_arrays(exp_dim),
    )
    make = self._trace(
      'frames',
      functools.partial(programs.frames, self.config, self.batch),
      source,
      speech.out_info[1],
      np.int32(0),
    )
    return shared | {'speech': speech, 'frames': make}

  def _bound(self, function: Callable[..., Any]) -> Callable[..., Any]:
    return functools.partial(function, self.config)

  def _trace(self, name: str, function: Callable[..., Any], *args: Any) -> Any:
    """Traces a program for arguments of these shapes."""
    program = jax.jit(
      function,
      in_shardings=self._sharding,
      out_shardings=self._sharding,
    )
    return program.trace(self._groups(name), *args)


def _compile(traced: dict[str, Any]) -> dict[str, Any]:
  """Compiles programs side by side."""
  with concurrent.futures.ThreadPoolExecutor() as pool:
    compiled = pool.map(lambda p: p.lower().compile(), traced.values())
    return dict(zip(traced, compiled, strict=True))
