"""The renderer as pure functions over the four stage-1 modules.

Source once -> `Source`; per frame `render(source, motion keypoints)`. All
functions take the model block of a config and a params dict with the groups
`appearance`, `motion`, `warping`, `generator`.
"""

from typing import Any

import jax

from takin_jax.config import build
from takin_jax.models.appearance import AppearanceConfig, AppearanceExtractor
from takin_jax.models.generator import Generator, GeneratorConfig
from takin_jax.models.motion import MotionConfig, MotionExtractor
from takin_jax.models.warping import WarpingConfig, WarpingModule
from takin_jax.ops.geometry import transform_keypoints
from takin_jax.types import Motion, Source

Params = dict[str, Any]


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
  module = MotionExtractor(build(MotionConfig, model.motion))
  return module.apply({'params': params['motion']}, image)


def encode_source(model: Any, params: Params, image: jax.Array) -> Source:
  """Everything that is computed once per portrait [B, H, W, 3] in [0, 1]."""
  module = AppearanceExtractor(build(AppearanceConfig, model.appearance))
  features = module.apply({'params': params['appearance']}, image)
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
) -> dict[str, jax.Array]:
  """One frame with everything the losses look at.

  Args:
    model: config block with `warping` and `generator`.
    params: has the groups `warping` and `generator`.
    image: [B, H, W, 3] the portrait.
    features: the appearance extractor's output.
    kp_source: [B, K, 3] keypoints in the portrait.
    kp_driving: [B, K, 3] keypoints of the frame to make.

  Returns:
    `image` [B, H', W', 3] in [0, 1], and the modules' by-products.
  """
  warping = WarpingModule(build(WarpingConfig, model.warping))
  generator = Generator(build(GeneratorConfig, model.generator))
  warped = warping.apply(
    {'params': params['warping']}, features, kp_source, kp_driving
  )
  frame = generator.apply(
    {'params': params['generator']}, warped, image, kp_source, kp_driving
  )
  return {**warped, **frame}


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
