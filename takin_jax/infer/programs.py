"""What an engine compiles: pure functions from uint8 to uint8.

In: config, parameters by group and arrays of fixed shapes. Out: the encoded
portrait, motion, frames.
"""

from typing import Any

import jax
import jax.numpy as jnp

from takin_jax import renderer
from takin_jax.animation import retarget, speech_step
from takin_jax.animation.chunks import ChunkConfig
from takin_jax.animation.controls import Controls, InferConfig
from takin_jax.ops.geometry import transform_keypoints
from takin_jax.types import Motion, Source

Params = dict[str, Any]


def prepare(config: Any, params: Params) -> Params:
  """The renderer's groups, with kernels transformed for this backend."""
  return renderer.transform(config.model, params)


def read_motion(
  config: Any, params: Params, image: jax.Array
) -> tuple[jax.Array, Motion]:
  """[H, W, 3] uint8 -> canonical keypoints [1, K, 3] and motion [1, ...]."""
  return renderer.extract_motion(
    config.model, params, renderer.to_float(image)[None]
  )


def encode_source(
  config: Any,
  params: Params,
  image: jax.Array,
  seen: tuple[jax.Array, Motion],
) -> Source:
  """All that is computed once for a portrait.

  Args:
    config: has the block `model`.
    params: has the group `appearance`.
    image: [H, W, 3] uint8 the portrait.
    seen: what `read_motion` makes of it.
  """
  image, (kp, motion) = renderer.to_float(image)[None], seen
  features, _ = renderer.extract_features(config.model, params, image)
  return Source(image=image, features=features, kp=kp, motion=motion)


def frames(
  config: Any,
  count: int,
  params: Params,
  source: Source,
  motions: Motion,
  first: jax.Array,
) -> jax.Array:
  """`count` frames from number `first` on, as [count, H, W, 3] uint8.

  Args:
    config: has the block `model`.
    count: frames per call.
    params: the renderer's groups.
    source: the portrait.
    motions: [T, ...].
    first: [], at most T - count.
  """
  motions = jax.tree.map(
    lambda x: jax.lax.dynamic_slice_in_dim(x, first, count), motions
  )

  def render(kp: jax.Array) -> jax.Array:
    image = renderer.render(config.model, params, source, kp[None])[0]
    return renderer.to_uint8(image)

  kp = transform_keypoints(source.kp, motions)
  return render(kp[0])[None] if count == 1 else jax.vmap(render)(kp)


def step(
  config: Any,
  chunks: ChunkConfig,
  params: Params,
  state: speech_step.SpeechState,
  sound: jax.Array,
  source: Source,
  controls: Controls,
) -> tuple[speech_step.SpeechState, jax.Array]:
  """Sound to pictures in one pure function, for example to serve many at once.

  Arguments as in `speech_step.speech_step`, and the renderer's groups.

  Returns:
    The state for the next chunk, and its frames [chunk, H, W, 3] uint8.
  """
  args = (params, state, sound, source, controls)
  state, motions = speech_step.speech_step(config, chunks, *args)

  def one(i: jax.Array) -> jax.Array:
    return frames(config, 1, params, source, motions, i)[0]

  return state, jax.lax.map(one, jnp.arange(chunks.chunk))


def reenact(
  config: Any,
  params: Params,
  source: Source,
  first: Motion,
  motion: Motion,
  controls: Controls,
) -> jax.Array:
  """The portrait with the motion of a driving frame.

  Args:
    config: has the block `model`.
    params: the renderer's groups.
    source: the portrait.
    first: motion of the driving video's first frame.
    motion: of the driving frame.
    controls: relative or absolute motion, scales and limits.

  Returns:
    [1, H, W, 3] uint8.
  """
  known = InferConfig.of(config).landmark_keypoints
  motion = retarget.drive(source.motion, first, motion, controls, known)
  return frames(config, 1, params, source, motion, jnp.int32(0))
