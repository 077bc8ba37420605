"""What an engine compiles: pure functions from uint8 to uint8.

Each is a small dataclass: its fields are what is fixed at compilation, calling
it is the function, and it says which parameters it takes and for arguments of
which shapes it is compiled. A new program needs nothing but its class here.
"""

from collections.abc import Callable
import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from takin_jax import renderer
from takin_jax.animation import retarget
from takin_jax.animation.chunks import ChunkConfig
from takin_jax.animation.controls import Controls, InferConfig
from takin_jax.animation.speech_step import (
  SpeechState,
  first_state,
  speech_step,
)
from takin_jax.config import build
from takin_jax.diffusion.schedule import DiffusionConfig
from takin_jax.face import HEAD_DIM
from takin_jax.ops.geometry import transform_keypoints
from takin_jax.types import Motion, Source

Params = dict[str, Any]
Seen = tuple[jax.Array, Motion]  # canonical keypoints, motion

DEFAULT_IMAGE_PX = 256
_RENDERER = ('warping', 'generator', *renderer.OPTIONAL)


@dataclasses.dataclass(frozen=True)
class Program:
  """A function `(config, params, *arguments) -> outputs`.

  Attributes:
    groups: of parameters that it takes.
    optional: those of them that it can do without.
    blocks: of the config that it reads.
  """

  groups: ClassVar[tuple[str, ...]] = ()
  optional: ClassVar[tuple[str, ...]] = ()
  blocks: ClassVar[tuple[str, ...]] = ('model',)

  def __call__(self, config: Any, params: Params, *args: Any) -> Any:
    """The function; pure."""
    raise NotImplementedError

  def arguments(
    self, config: Any, params: Params, out: Callable[['Program'], Any]
  ) -> tuple[Any, ...]:
    """Arrays or shapes of its arguments.

    Args:
      config: of the weights.
      params: all groups, arrays or shapes.
      out: gives the shapes that another program returns.
    """
    raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class PrepareWeights(Program):
  """The renderer's groups, with kernels transformed for this backend."""

  groups = (*renderer.MODULES, *renderer.OPTIONAL)
  optional = tuple(renderer.OPTIONAL)

  def __call__(self, config: Any, params: Params) -> Params:
    return renderer.transform(config.model, params)

  def arguments(self, config: Any, params: Params, out: Any) -> tuple:
    return ()


@dataclasses.dataclass(frozen=True)
class ExtractMotion(Program):
  """[H, W, 3] uint8 -> canonical keypoints [1, K, 3] and motion [1, ...]."""

  groups = ('motion',)

  def __call__(self, config: Any, params: Params, image: jax.Array) -> Seen:
    image = renderer.to_float(image[None])
    return renderer.extract_motion(config.model, params, image)

  def arguments(self, config: Any, params: Params, out: Any) -> tuple:
    return (_picture(config),)


@dataclasses.dataclass(frozen=True)
class EncodeSource(Program):
  """The portrait [H, W, 3] uint8 and what was seen in it -> `Source`."""

  groups = ('appearance',)

  def __call__(
    self, config: Any, params: Params, image: jax.Array, seen: Seen
  ) -> Source:
    image, (kp, motion) = renderer.to_float(image[None]), seen
    features, _ = renderer.extract_features(config.model, params, image)
    return Source(image=image, features=features, kp=kp, motion=motion)

  def arguments(self, config: Any, params: Params, out: Any) -> tuple:
    return _picture(config), out(ExtractMotion())


@dataclasses.dataclass(frozen=True)
class GenerateMotion(Program):
  """Motion of one chunk of sound: see `speech_step` for the arguments.

  Attributes:
    chunks: how sound is cut.
    sessions: B, where every argument and output has a leading axis of as many
      sessions; None: there is one, without such an axis.
  """

  chunks: ChunkConfig
  sessions: int | None = None

  groups = ('speech', 'denoiser', 'stats', 'emotions', 'articulation')
  optional = ('emotions', 'articulation')
  blocks = ('model', 'diffusion', 'infer')

  def __call__(
    self,
    config: Any,
    params: Params,
    state: SpeechState,
    sound: jax.Array,
    source: Source,
    controls: Controls,
  ) -> tuple[SpeechState, Motion]:
    def step(*args: Any) -> tuple[SpeechState, Motion]:
      return speech_step(config, self.chunks, params, *args)

    step = step if self.sessions is None else jax.vmap(step)
    return step(state, sound, source, controls)

  def arguments(self, config: Any, params: Params, out: Any) -> tuple:
    diffusion = build(DiffusionConfig, config.diffusion)
    motion_dim = params['stats']['mean'].shape[0]
    one = (
      first_state(diffusion, self.chunks, motion_dim, 0),
      np.zeros(self.chunks.sound_samples, np.float32),
      out(EncodeSource()),
      Controls().as_arrays(motion_dim - HEAD_DIM),
    )
    if self.sessions is None:
      return one
    return jax.tree.map(
      lambda x: jax.ShapeDtypeStruct((self.sessions, *x.shape), x.dtype), one
    )


@dataclasses.dataclass(frozen=True)
class Render(Program):
  """Source, motions [T, ...] and a first frame -> [count, H, W, 3] uint8.

  Attributes:
    length: T, motions that are given.
    count: of them that are rendered, from the first frame on, which is at most
      T - count.
  """

  length: int
  count: int = 1

  groups = _RENDERER
  optional = tuple(renderer.OPTIONAL)

  def __call__(
    self,
    config: Any,
    params: Params,
    source: Source,
    motions: Motion,
    first: jax.Array,
  ) -> jax.Array:
    motions = jax.tree.map(
      lambda x: jax.lax.dynamic_slice_in_dim(x, first, self.count), motions
    )

    def render(kp: jax.Array) -> jax.Array:
      image = renderer.render(config.model, params, source, kp[None])[0]
      return renderer.to_uint8(image)

    kp = transform_keypoints(source.kp, motions)
    return render(kp[0])[None] if self.count == 1 else jax.vmap(render)(kp)

  def arguments(self, config: Any, params: Params, out: Any) -> tuple:
    source = out(EncodeSource())
    motions = jax.tree.map(
      lambda x: jax.ShapeDtypeStruct((self.length, *x.shape[1:]), x.dtype),
      source.motion,
    )
    return source, motions, np.int32(0)


@dataclasses.dataclass(frozen=True)
class Reenact(Program):
  """Source, a driving video's first motion, its motion now -> [1, H, W, 3]."""

  groups = _RENDERER
  optional = tuple(renderer.OPTIONAL)
  blocks = ('model', 'infer')

  def __call__(
    self,
    config: Any,
    params: Params,
    source: Source,
    first: Motion,
    motion: Motion,
    controls: Controls,
  ) -> jax.Array:
    known = InferConfig.of(config).landmark_keypoints
    motion = retarget.drive(source.motion, first, motion, controls, known)
    return Render(1)(config, params, source, motion, jnp.int32(0))

  def arguments(self, config: Any, params: Params, out: Any) -> tuple:
    source = out(EncodeSource())
    exp_dim = 3 * source.kp.shape[-2]
    motion = source.motion
    return source, motion, motion, Controls().as_arrays(exp_dim)


def talk(
  config: Any,
  chunks: ChunkConfig,
  params: Params,
  state: SpeechState,
  sound: jax.Array,
  source: Source,
  controls: Controls,
) -> tuple[SpeechState, jax.Array]:
  """Sound to pictures in one pure function, for example to export it.

  Arguments as in `speech_step`, and the renderer's groups.

  Returns:
    The state for the next chunk, and its frames [chunk, H, W, 3] uint8.
  """
  args = (state, sound, source, controls)
  state, motions = GenerateMotion(chunks)(config, params, *args)

  def one(i: jax.Array) -> jax.Array:
    return Render(chunks.chunk)(config, params, source, motions, i)[0]

  return state, jax.lax.map(one, jnp.arange(chunks.chunk))


def size_px(config: Any) -> int:
  """Side of the pictures that a model takes."""
  return config.model.get('image_size', DEFAULT_IMAGE_PX)


def _picture(config: Any) -> jax.ShapeDtypeStruct:
  size = size_px(config)
  return jax.ShapeDtypeStruct((size, size, 3), jnp.uint8)
