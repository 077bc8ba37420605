"""The terms of the stage-1 loss and their settings.

In: pictures, the landmarker's geometry, parameters. Out: weighted terms by
name. A term of weight 0 is not computed.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from takin_jax.config import build
from takin_jax.data import geometry as teacher
from takin_jax.losses import motion as losses
from takin_jax.losses import perceptual
from takin_jax.models.motion import MotionConfig, MotionExtractor
from takin_jax.ops import augment
from takin_jax.ops.geometry import motion_from_keypoints, transform_keypoints
from takin_jax.ops.grid_sample import center_grid
from takin_jax.ops.resize import avg_pool
from takin_jax.types import Motion

Params = dict[str, Any]
Terms = dict[str, jax.Array]
RIGID = tuple(int(i) for i in teacher.RIGID)
MOUTH, EYES = (0, 1, 2, 3), ((6, 7), (8, 9))
GAPS = ((4, 5), *EYES)  # upper and lower keypoint of the mouth and both eyes


@dataclasses.dataclass(frozen=True)
class MotionLossConfig:
  """Weights and settings of the stage-1 losses; weight 0: not computed.

  Attributes:
    l1: weighted L1 of the picture, and of it at 1/2 and 1/8 size.
    warped: L1 of the warped portrait at 1/8 size (blend decoder only).
    perceptual: VGG-16 feature distance on a crop.
    perceptual_px: side of that crop; it looks at mouth, eyes or anywhere.
    lpips: LPIPS on a crop around the face.
    lpips_px: side of that crop.
    mouth, eyes: extra weight of these regions in the L1.
    landmark: keypoints to landmarks (Takin eq. 2).
    wing: wing function in it.
    canonical: canonical keypoints of the two pictures (Takin eq. 1).
    head_pose: degrees to the stored pose.
    deformation: size of the expression.
    keypoint_prior: spread and depth of the keypoints.
    equivariance: keypoints under a random similarity of the picture.
    expression: all of the motion to the landmarker's, by its own spread.
    expression_scale: [K] typical size of each keypoint's expression.
    gap: openings of mouth and eyes to the landmarker's.
    gap_scale: typical size of the openings' changes.
    positions: the extractor's first heat maps to the landmarks.
    teacher_share: share of pairs rendered from the landmarker's keypoints.
    similarity: scale, roll and shift pictures seen by the motion extractor
      (only while nothing is rendered).
    colors: strength of the colour changes.
  """

  l1: float = 2.0
  warped: float = 0.0
  perceptual: float = 0.5
  perceptual_px: int = 64
  lpips: float = 0.0
  lpips_px: int = 128
  mouth: float = 5.0
  eyes: float = 3.0
  landmark: float = 0.0
  wing: bool = False
  canonical: float = 0.0
  head_pose: float = 0.0
  deformation: float = 0.0
  keypoint_prior: float = 0.0
  equivariance: float = 0.0
  expression: float = 0.0
  expression_scale: tuple[float, ...] = ()
  gap: float = 0.0
  gap_scale: tuple[float, ...] = (0.03, 0.012, 0.012)
  positions: float = 0.0
  teacher_share: float = 0.0
  similarity: bool = False
  colors: float = 0.15

  @property
  def renders(self) -> bool:
    """Whether pictures are made at all."""
    return any((self.l1, self.warped, self.perceptual, self.lpips))

  @property
  def extracts(self) -> bool:
    """Whether the motion extractor runs."""
    return any(
      (
        *(self.landmark, self.canonical, self.head_pose, self.deformation),
        *(self.keypoint_prior, self.equivariance, self.expression),
        *(self.gap, self.positions),
        self.renders and self.teacher_share < 1.0,
      )
    )


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

  terms = _weighted(
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
    gap=lambda: _gap_error(cfg, kp + motion.exp, own_kp + target.exp),
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


def _weighted(cfg: MotionLossConfig, **values: Any) -> Terms:
  """Calls and weighs the terms whose weight is not 0."""
  weights = {name: getattr(cfg, name) for name in values}
  return {k: weights[k] * f() for k, f in values.items() if weights[k]}


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


def _gap_error(
  cfg: MotionLossConfig, points: jax.Array, target: jax.Array
) -> jax.Array:
  error = losses.gaps(points, GAPS) - losses.gaps(target, GAPS)
  return (jnp.abs(error) / jnp.asarray(cfg.gap_scale)).mean()


def _position_error(aux: Any, x: jax.Array) -> jax.Array:
  (positions,) = jax.tree.leaves(aux)
  return jnp.abs(positions[:, : x.shape[1]] - x[..., :2]).mean()


def picture_terms(
  cfg: MotionLossConfig,
  batch: dict[str, Any],
  frame: dict[str, jax.Array],
  target: jax.Array,
  key: jax.Array,
) -> Terms:
  """Distances of the made frame to the driving picture.

  Args:
    cfg: weights.
    batch: has `driving_x` and, for perceptual terms, `constants`.
    frame: the renderer's output, `image` [B, H, W, 3] and by-products.
    target: [B, H, W, 3] in [0, 1].
    key: random key.
  """
  image, x = frame['image'], batch['driving_x']
  weight = _region_weight(cfg, x, image.shape[1])
  nets = batch.get('constants', {})

  def l1() -> jax.Array:
    total = 0.0
    for factor in (1, 2, 8):
      pictures = (avg_pool(p, factor) for p in (image, target, weight))
      total += losses.weighted_l1(*pictures)
    return total

  def warped() -> jax.Array:
    pictures = (frame['warped'], target, weight)
    return losses.weighted_l1(*(avg_pool(p, 8) for p in pictures))

  def cropped(size: int, centre: jax.Array) -> tuple[jax.Array, jax.Array]:
    pair = jnp.concatenate([image, target], -1)
    pair = _crop(pair, centre, size)
    return pair[..., :3], pair[..., 3:]

  key_small, key_large = jax.random.split(key)
  return _weighted(
    cfg,
    l1=l1,
    warped=warped,
    perceptual=lambda: perceptual.vgg_loss(
      nets['vgg16'],
      *cropped(cfg.perceptual_px, _interesting_point(key_small, x)),
    ),
    lpips=lambda: perceptual.lpips(
      nets['alexnet'],
      *cropped(cfg.lpips_px, _any_point(key_large, x, 0.6)),
    ).mean(),
  )


def _region_weight(cfg: MotionLossConfig, x: jax.Array, size: int) -> jax.Array:
  """[B, H, W, 1]: 1, more in Gaussians around mouth and eyes."""
  grid = center_grid(size, size)

  def bump(indices: tuple[int, ...], radius: float) -> jax.Array:
    centre = x[:, jnp.asarray(indices), :2].mean(1)[:, None, None]
    squared = jnp.square(grid - centre).sum(-1, keepdims=True)
    return jnp.exp(-0.5 / radius**2 * squared)

  eyes = sum(bump(pair, 0.12) for pair in EYES)
  return 1.0 + cfg.mouth * bump(MOUTH, 0.18) + cfg.eyes * eyes


def _any_point(key: jax.Array, x: jax.Array, reach: float) -> jax.Array:
  """[B, 2] within `reach` of the middle of the picture."""
  shape = (x.shape[0], 2)
  return jax.random.uniform(key, shape, minval=-reach, maxval=reach)


def _interesting_point(key: jax.Array, x: jax.Array) -> jax.Array:
  """[B, 2]: in 6 of 10 cases the mouth, in 2 an eye, else anywhere."""
  keys = jax.random.split(key, 3)
  regions = jnp.stack(
    [
      *[x[:, jnp.asarray(MOUTH), :2].mean(1)] * 6,
      *(x[:, jnp.asarray(pair), :2].mean(1) for pair in EYES),
      *[_any_point(keys[0], x, 0.75)] * 2,
    ],
    1,
  )
  choice = jax.random.randint(keys[1], (x.shape[0],), 0, regions.shape[1])
  noise = jax.random.uniform(keys[2], (x.shape[0], 2), minval=-0.1, maxval=0.1)
  return regions[jnp.arange(x.shape[0]), choice] + noise


def _crop(image: jax.Array, centre: jax.Array, size: int) -> jax.Array:
  """[B, size, size, C] around points in [-1, 1], kept inside the picture."""
  side = image.shape[1]
  if size >= side:
    return image
  corner = ((centre + 1) * (side / 2) - size / 2).astype(jnp.int32)
  corner = jax.lax.stop_gradient(jnp.clip(corner, 0, side - size))

  def one(picture: jax.Array, xy: jax.Array) -> jax.Array:
    shape = (size, size, picture.shape[-1])
    return jax.lax.dynamic_slice(picture, (xy[1], xy[0], 0), shape)

  return jax.vmap(one)(image, corner)
