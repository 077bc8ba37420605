"""Stage 1: motion extractor and renderer, by rebuilding one frame of a clip
from another.

The landmarker's geometry, stored with every record, guides the keypoints
(landmark loss, head pose, expression) and can also stand in for the motion
extractor while the renderer is young (`teacher_share`), so that neither waits
for the other. A loss of weight 0 is not computed.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from takin_jax import renderer
from takin_jax.config import build
from takin_jax.data import pipeline
from takin_jax.losses import perceptual
from takin_jax.models.appearance import AppearanceConfig, AppearanceExtractor
from takin_jax.models.generator import Generator, GeneratorConfig
from takin_jax.models.motion import MotionConfig, MotionExtractor
from takin_jax.models.warping import WarpingConfig, WarpingModule
from takin_jax.ops import augment
from takin_jax.ops.resize import avg_pool
from takin_jax.train.motion_eval import evaluate, samples
from takin_jax.train.motion_terms import (
  MotionLossConfig,
  keypoint_terms,
  picture_terms,
)

__all__ = ['batches', 'constants', 'evaluate', 'init', 'loss_fn', 'samples']

Params = dict[str, Any]
LossFn = Callable[..., tuple[jax.Array, dict[str, jax.Array]]]


def init(config: ConfigDict, key: jax.Array) -> Params:
  """Fresh parameters of the four modules."""
  model, keys = config.model, jax.random.split(key, 4)
  image = jnp.zeros((1, model.image_size, model.image_size, 3))
  appearance = AppearanceExtractor(build(AppearanceConfig, model.appearance))
  motion = MotionExtractor(build(MotionConfig, model.motion))
  warping = WarpingModule(build(WarpingConfig, model.warping))
  generator = Generator(build(GeneratorConfig, model.generator))
  features, p_appearance = appearance.init_with_output(keys[0], image)
  p_motion = motion.init(keys[1], image)
  kp = jnp.zeros((1, build(MotionConfig, model.motion).num_kp, 3))
  warped, p_warping = warping.init_with_output(keys[2], features, kp, kp)
  p_generator = generator.init(keys[3], warped, image, kp, kp)
  return {
    'appearance': p_appearance['params'],
    'motion': p_motion['params'],
    'warping': p_warping['params'],
    'generator': p_generator['params'],
  }


def batches(config: ConfigDict) -> Any:
  """Pairs of frames of one clip with the landmarker's geometry."""
  shard = (jax.process_index(), jax.process_count())
  return iter(pipeline.batches(config.data, config.seed, shard=shard))


def constants(config: ConfigDict) -> dict[str, Any]:
  """Weights of the perceptual networks that this config uses."""
  cfg = build(MotionLossConfig, config.loss)
  used = {'vgg16': cfg.perceptual, 'alexnet': cfg.lpips}
  return {k: perceptual.load_weights(k) for k, weight in used.items() if weight}


def loss_fn(config: ConfigDict) -> LossFn:
  """Makes `f(params, batch, key, train) -> (loss, metrics)`."""
  cfg, model = build(MotionLossConfig, config.loss), config.model

  def loss(
    params: Params, batch: dict[str, Any], key: jax.Array, train: bool
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    del train
    keys = jax.random.split(key, 4)
    source, driving = (
      batch[name].astype(jnp.float32) / 255.0 for name in ('source', 'driving')
    )
    if not cfg.renders:
      factor = source.shape[1] // model.motion.input_size
      source, driving = avg_pool(source, factor), avg_pool(driving, factor)
    colors = augment.random_colors(keys[0], source.shape[0], cfg.colors)
    source, driving = (
      augment.apply_colors(image, *colors) for image in (source, driving)
    )
    terms = {}
    kp_source, kp_driving = batch['source_x'], batch['driving_x']
    if cfg.extracts:
      terms, own = keypoint_terms(
        cfg, model, params, batch, (source, driving), keys[1]
      )
      taught = jax.random.bernoulli(
        keys[2], cfg.teacher_share, (source.shape[0], 1, 1)
      )
      kp_source = jnp.where(taught, kp_source, own[0])
      kp_driving = jnp.where(taught, kp_driving, own[1])
    if cfg.renders:
      module = AppearanceExtractor(build(AppearanceConfig, model.appearance))
      features = module.apply({'params': params['appearance']}, source)
      frame = renderer.warp_and_generate(
        model, params, source, features, kp_source, kp_driving
      )
      terms |= picture_terms(cfg, batch, frame, driving, keys[3])
    return sum(terms.values()), terms

  return loss
