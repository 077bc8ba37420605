"""Stage 1: motion extractor and renderer, by rebuilding one frame of a clip
from another.

The landmarker's geometry, stored with every record, guides the keypoints
(landmark loss, head pose, expression) and can also stand in for the motion
extractor while the renderer is young (`teacher_share`), so that neither waits
for the other. A loss of weight 0 is not computed.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from takin_jax import renderer
from takin_jax.config import build
from takin_jax.data.batches import frame_pairs
from takin_jax.data.batches import specs as batch_specs
from takin_jax.losses import perceptual
from takin_jax.ops import augment
from takin_jax.ops.resize import avg_pool
from takin_jax.train.motion.adversarial_terms import (
  add_discriminator,
  adversarial_terms,
)
from takin_jax.train.motion.evaluate import evaluate, samples
from takin_jax.train.motion.keypoint_terms import keypoint_terms
from takin_jax.train.motion.loss_config import MotionLossConfig
from takin_jax.train.motion.picture_terms import picture_terms

__all__ = [
  'batch_spec',
  'batches',
  'constants',
  'evaluate',
  'init',
  'loss_fn',
  'samples',
]

Params = dict[str, Any]
LossFn = Callable[..., tuple[jax.Array, dict[str, jax.Array]]]


def init(config: ConfigDict, key: jax.Array) -> Params:
  """Fresh parameters of the four modules, and of the discriminator if used."""
  params = renderer.init(config.model, key)
  if build(MotionLossConfig, config.loss).judges:
    key = jax.random.fold_in(key, 1)
    params = add_discriminator(config.model, params, key)
  return params


def batches(config: ConfigDict) -> Any:
  """Pairs of frames of one clip with the landmarker's geometry."""
  data, landmarks = _wanted(config)
  shard = (jax.process_index(), jax.process_count())
  return iter(frame_pairs.batches(data, config.seed, shard, landmarks))


def batch_spec(config: ConfigDict) -> batch_specs.Spec:
  """Shapes of these batches, without records."""
  data, landmarks = _wanted(config)
  return batch_specs.pairs(data, len(landmarks))


def _wanted(config: ConfigDict) -> tuple[Mapping[str, Any], tuple[int, ...]]:
  """Data block and landmarks, without what a loss of weight 0 looks at."""
  cfg, data = build(MotionLossConfig, config.loss), config.data
  if not cfg.canonical:
    data = {**data, 'others': 0}
  return data, cfg.landmark_indices if cfg.landmark else ()


def constants(config: ConfigDict) -> dict[str, Any]:
  """Weights of the perceptual networks that this config uses."""
  cfg = build(MotionLossConfig, config.loss)
  used = {'vgg16': cfg.perceptual or cfg.pyramid, 'alexnet': cfg.lpips}
  return {k: perceptual.load_weights(k) for k, weight in used.items() if weight}


def loss_fn(config: ConfigDict) -> LossFn:
  """Makes `f(params, batch, key, train) -> (loss, metrics)`."""
  cfg, model = build(MotionLossConfig, config.loss), config.model

  def loss(
    params: Params, batch: dict[str, Any], key: jax.Array, train: bool
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    keys = jax.random.split(key, 4)
    key_gan, key_others = jax.random.split(jax.random.fold_in(key, 4))
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
    terms, stats = {}, {}
    kp_source, kp_driving = batch['source_x'], batch['driving_x']
    if cfg.extracts:
      terms, own = keypoint_terms(
        cfg,
        model,
        params,
        batch,
        (source, driving),
        _others(cfg, batch, key_others),
        keys[1],
      )
      taught = jax.random.bernoulli(
        keys[2], cfg.teacher_share, (source.shape[0], 1, 1)
      )
      kp_source = jnp.where(taught, kp_source, own[0])
      kp_driving = jnp.where(taught, kp_driving, own[1])
    if cfg.renders:
      features, stats = renderer.extract_features(model, params, source, train)
      frame = renderer.warp_and_generate(
        model, params, source, features, kp_source, kp_driving, train
      )
      terms |= picture_terms(cfg, model, params, batch, frame, driving, keys[3])
      stats |= frame.get(renderer.STATS, {})
    if cfg.judges:
      pair = (frame['image'], driving)
      judged, new = adversarial_terms(
        cfg, model, params, pair, batch['driving_x'], key_gan, train
      )
      terms, stats = terms | judged, stats | new
    total = sum(terms.values())
    return total, {**terms, renderer.STATS: stats} if stats else terms

  return loss


def _others(
  cfg: MotionLossConfig, batch: dict[str, Any], key: jax.Array
) -> jax.Array | None:
  """[B, G, H, W, 3] more pictures, each in other colours; None without."""
  if 'others' not in batch:
    return None
  image = batch['others'].astype(jnp.float32) / 255.0
  flat = image.reshape(-1, *image.shape[2:])
  colors = augment.random_colors(key, len(flat), cfg.colors)
  return augment.apply_colors(flat, *colors).reshape(image.shape)
