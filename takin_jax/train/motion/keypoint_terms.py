"""Stage-1 loss terms on keypoints: the motion extractor's lessons."""

from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from takin_jax import rng
from takin_jax.data.faces import geometry as teacher
from takin_jax.losses import motion as losses
from takin_jax.ops import augment
from takin_jax.ops.geometry import motion_from_keypoints, transform_keypoints
from takin_jax.ops.resize import avg_pool
from takin_jax.ops.thin_plate import ThinPlate, random_thin_plate
from takin_jax.train.motion.loss_config import (
  MotionLossConfig,
  Params,
  Terms,
  extractor,
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
  others: jax.Array | None,
  key: jax.Array,
) -> tuple[Terms, tuple[jax.Array, jax.Array]]:
  """Runs the motion extractor on source and driving pictures.

  Args:
    cfg: weights.
    model: config block of the models.
    params: has the group `motion`.
    batch: as `takin_jax.data.batches.frame_pairs` makes it.
    images: source and driving [B, H, W, 3] in [0, 1].
    others: [B, G, H, W, 3] more pictures of the same people, or None.
    key: random key.

  Returns:
    Weighted terms, and the keypoints of source and driving [B, K, 3]; both
    use the source's canonical keypoints.
  """
  image, facts = _pictures(cfg, model, batch, images, key)
  key_plate = rng.fold_in_str(key, 'thin_plate')
  plate = random_thin_plate(key_plate, len(image))
  warped = plate.warp(image) if cfg.equivariance else None
  seen = _read(model, params, image, warped, others)
  kp, half = seen['kp'][: len(images[0])], len(images[0])
  own_kp = jnp.concatenate([batch['source_kp']] * 2)
  terms = _weighted_terms(cfg, seen, facts, own_kp, plate)
  both = transform_keypoints(jnp.concatenate([kp] * 2), seen['motion'])
  return terms, (both[:half], both[half:])


def _weighted_terms(
  cfg: MotionLossConfig,
  seen: dict[str, Any],
  facts: dict[str, jax.Array],
  own_kp: jax.Array,
  plate: ThinPlate,
) -> Terms:
  """What the extractor read against what is known, see `keypoint_terms`.

  Args:
    cfg: weights.
    seen: of `_read`.
    facts: of `_pictures`.
    own_kp: [2B, K, 3] the landmarker's canonical keypoints.
    plate: the warp of the warped pictures.
  """
  kp, motion = seen['kp'], seen['motion']
  # The canonical shape of the pair's other picture: what moves a face has to
  # be in its motion, for a portrait is moved by that alone.
  shape = jnp.roll(kp, len(kp) // 2, 0)
  found = transform_keypoints(shape, motion)
  target = motion_from_keypoints(
    facts['x'], facts['pose'], own_kp, RIGID, teacher.CANONICAL_RMS
  )

  def mapped() -> jax.Array:
    x = transform_keypoints(shape, seen['warped'])
    return losses.equivariance_loss(found, plate(x[..., :2]))

  return weighted(
    cfg,
    landmark=lambda: losses.landmark_loss(
      found, facts['landmarks'], cfg.landmark_keypoints, 0.02, cfg.wing
    ),
    canonical=lambda: losses.canonical_loss(seen['groups'], 0.02),
    head_pose=lambda: losses.head_pose_loss(motion.pose_deg, facts['pose']),
    deformation=lambda: losses.deformation_prior(motion.exp),
    keypoint_prior=lambda: losses.keypoint_prior(found, cfg.prior_distance),
    equivariance=mapped,
    expression=lambda: _motion_error(cfg, (kp, motion), (own_kp, target)),
    gap=lambda: gap_error(cfg, shape + motion.exp, own_kp + target.exp),
    positions=lambda: _position_error(seen['aux'], facts['x']),
  )


def _read(
  model: ConfigDict,
  params: Params,
  image: jax.Array,
  warped: jax.Array | None,
  others: jax.Array | None,
) -> dict[str, Any]:
  """Runs the extractor once on everything.

  Args:
    model: config block of the models.
    params: has the group `motion`.
    image: [2B, S, S, 3] source and driving pictures.
    warped: the same after a warp, or None.
    others: [B, G, H, W, 3] or None.

  Returns:
    `kp` [2B, K, 3] and `motion` of the pictures, `warped`: the motion in the
    warped ones, `groups` [B, 2 + G, K, 3]: canonical keypoints by person, and
    `aux`: what the network sowed.
  """
  pictures, count = [image], len(image)
  if warped is not None:
    pictures.append(warped)
  first_other = count * len(pictures)
  if others is not None:
    others = others.reshape(-1, *others.shape[2:])
    pictures.append(avg_pool(others, others.shape[1] // image.shape[1]))
  (kps, motions), aux = extractor(model).apply(
    {'params': params['motion']},
    jnp.concatenate(pictures),
    mutable=['intermediates'],
  )
  pair = jnp.stack(jnp.split(kps[:count], 2), 1)
  more = kps[first_other:].reshape(len(pair), -1, *kps.shape[1:])
  return {
    'kp': kps[:count],
    'motion': jax.tree.map(lambda leaf: leaf[:count], motions),
    'warped': jax.tree.map(lambda leaf: leaf[count : 2 * count], motions),
    'groups': jnp.concatenate([pair, more], 1),
    'aux': aux,
  }


def _pictures(
  cfg: MotionLossConfig,
  model: ConfigDict,
  batch: dict[str, Any],
  images: tuple[jax.Array, jax.Array],
  key: jax.Array,
) -> tuple[jax.Array, dict[str, jax.Array]]:
  """Source and driving as the extractor sees them, and what is known there."""
  names = ('x', 'pose', 'landmarks') if cfg.landmark else ('x', 'pose')
  facts = {
    name: jnp.concatenate([batch[f'source_{name}'], batch[f'driving_{name}']])
    for name in names
  }
  if cfg.landmark:  # [:, 1] is for mirrored faces
    flat = facts['landmarks'][:, 0]
    facts['landmarks'] = jnp.pad(flat, ((0, 0), (0, 0), (0, 1)))
  image = jnp.concatenate(images)
  image = avg_pool(image, image.shape[1] // extractor(model).cfg.input_size)
  if cfg.similarity and not cfg.renders:
    points = jnp.concatenate([facts[k] for k in names if k != 'pose'], 1)
    count = facts['x'].shape[1]
    image, points, pose = augment.random_similarity(
      rng.fold_in_str(key, 'similarity'), image, points, facts['pose']
    )
    if cfg.surroundings:
      image = augment.random_surroundings(
        rng.fold_in_str(key, 'surroundings'),
        image,
        points[:, :count],
        cfg.surroundings,
      )
    facts = {'x': points[:, :count], 'landmarks': points[:, count:]}
    facts['pose'] = pose
  return image, facts


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
  return jnp.abs(positions[: len(x), : x.shape[1]] - x[..., :2]).mean()
