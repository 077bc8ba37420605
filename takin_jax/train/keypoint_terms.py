"""Stage-1 loss terms on keypoints: the motion extractor's lessons."""

from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from takin_jax.config import build
from takin_jax.data import geometry as teacher
from takin_jax.losses import motion as losses
from takin_jax.models.motion import MotionConfig, MotionExtractor
from takin_jax.ops import augment
from takin_jax.ops.geometry import motion_from_keypoints, transform_keypoints
from takin_jax.ops.resize import avg_pool
from takin_jax.train.loss_config import (
  MotionLossConfig,
  Params,
  Terms,
  gap_error,
  weighted,
)
from takin_jax.types import Motion

RIGID = tuple(int(i) for i in teacher.RIGID)


def keypoint_terms(
  cfg: MotionLossConfig,
  model: ConfigDict,
  params: Params,
  batch: dict[str, Any],
  images: tuple[jax.Array, jax.Array],
  key: jax.Array,
) -> tuple[Terms, tuple[jax.Array, jax.Array]]:
  """Runs the motion extractor on source and driving pictures.

  Args:
    cfg: weights.
    model: config block of the models.
    params: has the group `motion`.
    batch: as `takin_jax.data.pipeline` makes it.
    images: source and driving [B, H, W, 3] in [0, 1].
    key: random key.

  Returns:
    Weighted terms, and the keypoints of source and driving [B, K, 3]; both
    use the source's canonical keypoints.
  """
  module = MotionExtractor(build(MotionConfig, model.motion))
  image = jnp.concatenate(images)
  image = avg_pool(image, image.shape[1] // module.cfg.input_size)
  x, pose = (
    jnp.concatenate([batch[f'source_{name}'], batch[f'driving_{name}']])
    for name in ('x', 'pose')
  )
  if cfg.similarity and not cfg.renders:
    image, x, pose = augment.random_similarity(key, image, x, pose)
  (kp, motion), aux = module.apply(
    {'params': params['motion']}, image, mutable=['intermediates']
  )
  own_kp = jnp.concatenate([batch['source_kp']] * 2)
  rms = teacher.CANONICAL_RMS
  target = motion_from_keypoints(x, pose, own_kp, RIGID, rms)
  found = transform_keypoints(kp, motion)
  guide = transform_keypoints(own_kp, target)
  half = kp.shape[0] // 2

  def mapped() -> jax.Array:
    key_map = jax.random.fold_in(key, 1)
    moved, to, _ = augment.random_similarity(key_map, image, found, pose)
    other = module.apply({'params': params['motion']}, moved)[1]
    return losses.equivariance_loss(transform_keypoints(kp, other), to[..., :2])

  terms = weighted(
    cfg,
    landmark=lambda: losses.landmark_loss(
      found, guide, delta=0.02, use_wing=cfg.wing
    ),
    canonical=lambda: losses.canonical_loss(kp[:half], kp[half:], delta=0.02),
    head_pose=lambda: losses.head_pose_loss(motion.pose_deg, pose),
    deformation=lambda: losses.deformation_prior(motion.exp),
    keypoint_prior=lambda: losses.keypoint_prior(found),
    equivariance=mapped,
    expression=lambda: _motion_error(cfg, (kp, motion), (own_kp, target)),
    gap=lambda: gap_error(cfg, kp + motion.exp, own_kp + target.exp),
    positions=lambda: _position_error(aux, x),
  )
  source, driving = (
    jax.tree.map(lambda leaf, part=part: leaf[part], motion)
    for part in (slice(0, half), slice(half, None))
  )
  kp = kp[:half]
  return terms, (
    transform_keypoints(kp, source),
    transform_keypoints(kp, driving),
  )


def _motion_error(
  cfg: MotionLossConfig,
  found: tuple[jax.Array, Motion],
  target: tuple[jax.Array, Motion],
) -> jax.Array:
  """Expression by its spread; canonical keypoints, scale and t plainly."""
  (kp, motion), (own_kp, own) = found, target
  scale = jnp.asarray(cfg.expression_scale)
  return (
    losses.expression_loss(motion.exp, own.exp, scale)
    + 20 * jnp.abs(kp - own_kp).mean()
    + 10 * jnp.abs(motion.scale - own.scale).mean()
    + 10 * jnp.abs(motion.t - own.t)[:, :2].mean()
  )


def _position_error(aux: Any, x: jax.Array) -> jax.Array:
  (positions,) = jax.tree.leaves(aux)
  return jnp.abs(positions[:, : x.shape[1]] - x[..., :2]).mean()
