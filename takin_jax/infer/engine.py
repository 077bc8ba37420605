"""The compiled programs of one loaded model.

In: a weights folder's config and parameters. Out: executables for fixed shapes,
compiled before the first use: portrait -> `Source`, speech window -> motion,
motion -> frame, driving frame -> frame. Pictures go in and come out as uint8.
"""

from collections.abc import Callable
import concurrent.futures
import functools
from typing import Any

import flax.errors
import jax
import jax.numpy as jnp
import numpy as np

from takin_jax import renderer
from takin_jax.config import build
from takin_jax.diffusion.schedule import DiffusionConfig
from takin_jax.infer import stream
from takin_jax.infer.controls import Controls, drive
from takin_jax.infer.errors import InputError
from takin_jax.ops.geometry import transform_keypoints
from takin_jax.types import SAMPLES_PER_FRAME, Motion, Source

Params = dict[str, Any]

DEFAULT_IMAGE_PX = 256
# What each program needs of the weights.
GROUPS = {
  'source': ('appearance', 'motion'),
  'speech': ('speech', 'denoiser', 'stats'),
  'frame': ('warping', 'generator'),
  'motion': ('motion',),
  'reenact': ('motion', 'warping', 'generator'),
}


def encode_source(config: Any, params: Params, image: jax.Array) -> Source:
  """[H, W, 3] uint8 portrait -> all that is computed once for it."""
  return renderer.encode_source(config.model, params, _to_float(image))


def read_motion(config: Any, params: Params, image: jax.Array) -> Motion:
  """[H, W, 3] uint8 driving frame -> its motion [1, ...]."""
  return renderer.extract_motion(config.model, params, _to_float(image))[1]


def frame(
  config: Any, params: Params, source: Source, motions: Motion, i: jax.Array
) -> jax.Array:
  """Frame `i` of the motions [T, ...] as [H, W, 3] uint8."""
  motion = jax.tree.map(
    lambda x: jax.lax.dynamic_slice_in_dim(x, i, 1), motions
  )
  kp = transform_keypoints(source.kp, motion)
  image = renderer.render(config.model, params, source, kp)[0]
  return (jnp.clip(image, 0.0, 1.0) * 255.0 + 0.5).astype(jnp.uint8)


def reenact(
  config: Any,
  params: Params,
  source: Source,
  first: Motion,
  image: jax.Array,
  controls: Controls,
) -> jax.Array:
  """The portrait with the motion of a driving frame.

  Args:
    config: has the block `model`.
    params: the renderer's groups.
    source: the portrait.
    first: motion of the driving video's first frame.
    image: [H, W, 3] uint8 driving frame.
    controls: relative or absolute motion, scales and limits.

  Returns:
    [H, W, 3] uint8.
  """
  motion = read_motion(config, params, image)
  motion = drive(source.motion, first, motion, controls)
  return frame(config, params, source, motion, jnp.int32(0))


def _to_float(image: jax.Array) -> jax.Array:
  return image[None].astype(jnp.float32) / 255.0


def pick_device(name: str = 'auto') -> jax.Device:
  """The device of that kind: `auto`, `cpu`, `gpu`, `tpu` or e.g. `gpu:1`.

  Raises:
    InputError: if there is none.
  """
  kind, _, index = name.partition(':')
  try:
    devices = jax.devices(None if kind == 'auto' else kind)
    return devices[int(index or 0)]
  except (RuntimeError, ValueError, IndexError):
    found = ', '.join(str(device) for device in jax.devices())
    raise InputError(
      f'There is no device {name!r} here: JAX finds {found}.'
    ) from None


class Engine:
  """One model on one device, compiled when made.

  Args:
    config: the weights' config: `name` and the blocks `model` and, for
      speech, `diffusion`.
    params: their parameters by group.
    device: where to run.
    video: compile for driving videos instead of speech.

  Raises:
    InputError: if the weights lack what is needed, or do not fit the config.
  """

  def __init__(
    self, config: Any, params: Params, device: jax.Device, video: bool = False
  ):
    self.config = config
    self.size_px = config.model.get('image_size', DEFAULT_IMAGE_PX)
    self._sharding = jax.sharding.SingleDeviceSharding(device)
    names = ('motion', 'reenact') if video else ('speech', 'frame')
    self._params = self._load(params, ('source', *names))
    try:
      self._compile(video)
    except (flax.errors.FlaxError, ValueError) as error:
      raise InputError(
        f'The weights do not fit their config {config.name!r}: '
        f'{str(error).splitlines()[0]}'
      ) from error

  @property
  def diffusion(self) -> DiffusionConfig:
    """How speech becomes motion."""
    return build(DiffusionConfig, self.config.diffusion)

  def source(self, image: np.ndarray) -> Source:
    """Encodes a portrait, [size_px, size_px, 3] uint8."""
    return self._run('source', image)

  def speech(
    self,
    state: stream.SpeechState,
    sound: np.ndarray,
    source: Source,
    wish: stream.SpeechControls,
  ) -> tuple[stream.SpeechState, Motion]:
    """Motion of one window of sound, see `stream.speech_step`."""
    return self._run('speech', state, sound, source, wish)

  def frame(self, source: Source, motions: Motion, i: int) -> jax.Array:
    """Starts frame `i` of a window's motions: [H, W, 3] uint8."""
    return self._run('frame', source, motions, np.int32(i))

  def motion(self, image: np.ndarray) -> Motion:
    """Reads the motion of a driving frame."""
    return self._run('motion', image)

  def reenact(
    self,
    source: Source,
    first: Motion,
    image: np.ndarray,
    controls: Controls,
  ) -> jax.Array:
    """Starts the frame for a driving frame: [H, W, 3] uint8."""
    return self._run('reenact', source, first, image, controls)

  def _run(self, name: str, *args: Any) -> Any:
    params = {group: self._params[group] for group in GROUPS[name]}
    return self._programs[name](params, *args)

  def _load(self, params: Params, names: tuple[str, ...]) -> Params:
    """Puts the groups that the named programs need on the device."""
    groups = sorted({group for name in names for group in GROUPS[name]})
    missing = [group for group in groups if group not in params]
    if missing:
      raise InputError(
        f'The weights of {self.config.name!r} have no '
        f'{" and no ".join(missing)}'
        ', which this needs: train and export them, or take other weights.'
      )
    chosen = {group: params[group] for group in groups}
    return jax.device_put(chosen, self._sharding)

  def _compile(self, video: bool) -> None:
    """Traces the programs one after the other, compiles them side by side."""
    image = jax.ShapeDtypeStruct((self.size_px, self.size_px, 3), jnp.uint8)
    encode = self._trace('source', encode_source, image)
    source = encode.out_info
    programs = {'source': encode}
    if video:
      read = self._trace('motion', read_motion, image)
      programs['motion'] = read
      programs['reenact'] = self._trace(
        'reenact', reenact, source, read.out_info, image, _numbers(Controls())
      )
    else:
      speech = self._trace_speech(source)
      _, motions = speech.out_info
      programs['speech'] = speech
      programs['frame'] = self._trace(
        'frame', frame, source, motions, np.int32(0)
      )
    with concurrent.futures.ThreadPoolExecutor() as pool:
      compiled = pool.map(lambda p: p.lower().compile(), programs.values())
      self._programs = dict(zip(programs, compiled, strict=True))

  def _trace_speech(self, source: Source) -> Any:
    cfg = self.diffusion
    dim = self._params['stats']['mean'].shape[0]
    samples = cfg.window * SAMPLES_PER_FRAME + stream.FUTURE_SAMPLES
    return self._trace(
      'speech',
      stream.speech_step,
      stream.first_state(cfg, dim, 0),
      jax.ShapeDtypeStruct((samples,), jnp.float32),
      source,
      stream.speech_controls(None, Controls(), dim - 7),
    )

  def _trace(self, name: str, function: Callable[..., Any], *args: Any) -> Any:
    """Traces a program for arguments of these shapes."""
    groups = {group: self._params[group] for group in GROUPS[name]}
    program = jax.jit(
      functools.partial(function, self.config),
      in_shardings=self._sharding,
      out_shardings=self._sharding,
    )
    return program.trace(groups, *args)


def _numbers(tree: Any) -> Any:
  """Python numbers as float32 arrays, for compiled programs."""
  return jax.tree.map(np.float32, tree)
