"""What an engine compiles: pure functions from uint8 to uint8.

In: config, parameters by group and arrays of fixed shapes. Out: the encoded
portrait, motion, frames.
"""

from typing import Any

import jax
import jax.numpy as jnp

from takin_jax import renderer
from takin_jax.infer import stream
from takin_jax.infer.controls import Controls, drive
from takin_jax.infer.stream import StreamConfig
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
  return renderer.extract_motion(config.model, params, _to_float(image))


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
  image, (kp, motion) = _to_float(image), seen
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
    return (jnp.clip(image, 0.0, 1.0) * 255.0 + 0.5).astype(jnp.uint8)

  kp = transform_keypoints(source.kp, motions)
  return render(kp[0])[None] if count == 1 else jax.vmap(render)(kp)


def step(
  config: Any,
  plan: StreamConfig,
  params: Params,
  state: stream.SpeechState,
  sound: jax.Array,
  source: Source,
  wish: stream.SpeechControls,
) -> tuple[stream.SpeechState, jax.Array]:
  """Sound to pictures in one pure function, for example to serve many at once.

  Arguments as in `stream.speech_step`, and the renderer's groups.

  Returns:
    The state for the next chunk, and its frames [chunk, H, W, 3] uint8.
  """
  args = (params, state, sound, source, wish)
  state, motions = stream.speech_step(config, plan, *args)

  def one(i: jax.Array) -> jax.Array:
    return frames(config, 1, params, source, motions, i)[0]

  return state, jax.lax.map(one, jnp.arange(plan.chunk))


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
  own_keypoints = config.get('infer', {}).get('own_keypoints', False)
  motion = drive(source.motion, first, motion, controls, own_keypoints)
  return frames(config, 1, params, source, motion, jnp.int32(0))


def _to_float(image: jax.Array) -> jax.Array:
  return image[None].astype(jnp.float32) / 255.0
