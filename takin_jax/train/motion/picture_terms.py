"""Stage-1 loss terms on the made frame."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from takin_jax import rng
from takin_jax.face import LIDS
from takin_jax.losses import motion as losses
from takin_jax.losses import perceptual
from takin_jax.models.motion import MotionExtractor
from takin_jax.ops.geometry import transform_keypoints
from takin_jax.ops.grid_sample import center_grid
from takin_jax.ops.resize import avg_pool
from takin_jax.train.motion.loss_config import (
  MOUTH,
  MotionLossConfig,
  Params,
  Terms,
  extractor,
  gap_error,
  weighted,
)

Pair = tuple[jax.Array, jax.Array]
STILL_LEVELS = 8.0  # of 255: the noise of a video


def _reenactment_error(
  cfg: MotionLossConfig,
  module: MotionExtractor,
  params: Params,
  image: jax.Array,
  target: jax.Array,
) -> jax.Array:
  """Keypoints and openings read off two pictures, by their spread."""
  frozen = jax.lax.stop_gradient(params['motion'])

  def read(picture: jax.Array) -> jax.Array:
    picture = avg_pool(picture, picture.shape[1] // module.cfg.input_size)
    return transform_keypoints(*module.apply({'params': frozen}, picture))

  # One after the other: together, gradients would be computed for both.
  made, wanted = read(image), jax.lax.stop_gradient(read(target))
  error = losses.expression_loss(made, wanted, cfg.expression_scale)
  return error + gap_error(cfg, made, wanted)


def picture_terms(
  cfg: MotionLossConfig,
  model: ConfigDict,
  params: Params,
  batch: dict[str, Any],
  frame: dict[str, jax.Array],
  images: Pair,
  nets: dict[str, Any],
  key: jax.Array,
) -> Terms:
  """Distances of the made frame to the driving picture.

  Args:
    cfg: weights.
    model: config block of the models.
    params: has the group `motion`.
    batch: has `driving_x`.
    frame: the renderer's output, `image` [B, H, W, 3] and by-products.
    images: source and driving picture, [B, H, W, 3] in [0, 1].
    nets: weights of the perceptual networks that have terms.
    key: random key.
  """
  pair, x, target = (frame['image'], images[1]), batch['driving_x'], images[1]
  weight = _region_weight(cfg, x, target.shape[1])
  near, wide = crop_centres(key, x)
  return weighted(
    cfg,
    l1=lambda: sum(_l1(pair, weight, factor) for factor in (1, 2, 8)),
    warped=lambda: _l1((frame['warped'], target), weight, 8),
    paint=lambda: _paint_elsewhere(frame['residual'], x),
    still=lambda: _moving(frame['flow'], images),
    reenactment=lambda: _reenactment_error(
      cfg, extractor(model), params, *pair
    ),
    perceptual=lambda: perceptual.vgg_loss(
      nets['vgg16'], *_cropped(pair, near, cfg.perceptual_px)
    ),
    pyramid=lambda: perceptual.vgg_pyramid_loss(nets['vgg16'], *pair),
    lpips=lambda: perceptual.lpips(
      nets['alexnet'], *_cropped(pair, wide, cfg.lpips_px)
    ).mean(),
  )


def _l1(pair: Pair, weight: jax.Array, factor: int) -> jax.Array:
  """Weighted L1 of two pictures at 1 / factor of their size."""
  pictures = (avg_pool(picture, factor) for picture in (*pair, weight))
  return losses.weighted_l1(*pictures)


def _cropped(pair: Pair, centre: jax.Array, size: int) -> Pair:
  """The same place of two pictures."""
  both = crop(jnp.concatenate(pair, -1), centre, size)
  return both[..., :3], both[..., 3:]


def _moving(flow: jax.Array, images: Pair) -> jax.Array:
  """Mean size of the flow where the two pictures are the same."""
  same = _same(*images, images[0].shape[1] // flow.shape[1])
  return (same * jnp.abs(flow)).mean()


def _same(source: jax.Array, target: jax.Array, factor: int) -> jax.Array:
  """[B, H / f, W / f, 1]: 1 in cells where, and around which, nothing moves."""
  change = jnp.abs(source - target).max(-1, keepdims=True)
  size = 3 * factor
  most = jax.lax.reduce_window(
    change,
    -jnp.inf,
    jax.lax.max,
    (1, size, size, 1),
    (1, factor, factor, 1),
    [(0, 0), (factor, factor), (factor, factor), (0, 0)],
  )
  return jax.lax.stop_gradient((most < STILL_LEVELS / 255.0) * 1.0)


def _paint_elsewhere(residual: jax.Array, x: jax.Array) -> jax.Array:
  """Mean size of the paint outside ellipses around mouth and eyes."""
  regions = [_bump(residual.shape[1], x, MOUTH, 0.2)]
  regions += [_bump(residual.shape[1], x, pair, 0.1) for pair in LIDS]
  free = jnp.minimum(1.0, 1.5 * sum(regions))
  return ((1.0 - free) * jnp.abs(residual)).mean()


def _bump(
  size: int, x: jax.Array, indices: tuple[int, ...], radius: float
) -> jax.Array:
  """[B, H, W, 1]: Gaussian around the middle of some keypoints."""
  centre = x[:, jnp.asarray(indices), :2].mean(1)[:, None, None]
  squared = jnp.square(center_grid(size, size) - centre).sum(-1, keepdims=True)
  return jnp.exp(-0.5 / radius**2 * squared)


def _region_weight(cfg: MotionLossConfig, x: jax.Array, size: int) -> jax.Array:
  """[B, H, W, 1]: 1, more in Gaussians around mouth and eyes."""
  eyes = sum(_bump(size, x, pair, 0.12) for pair in LIDS)
  return 1.0 + cfg.mouth * _bump(size, x, MOUTH, 0.18) + cfg.eyes * eyes


def crop_centres(key: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
  """[B, 2] each: where VGG and where LPIPS look, for keypoints x [B, K, 3]."""
  vgg, lpips = (rng.fold_in_str(key, name) for name in ('vgg', 'lpips'))
  return interesting_point(vgg, x), _any_point(lpips, x, 0.6)


def _any_point(key: jax.Array, x: jax.Array, reach: float) -> jax.Array:
  """[B, 2] within `reach` of the middle of the picture."""
  shape = (x.shape[0], 2)
  return jax.random.uniform(key, shape, minval=-reach, maxval=reach)


def interesting_point(key: jax.Array, x: jax.Array) -> jax.Array:
  """[B, 2]: in 4 of 10 cases the mouth, in 4 an eye, else anywhere."""
  draw = functools.partial(rng.fold_in_str, key)
  regions = jnp.stack(
    [
      *[x[:, jnp.asarray(MOUTH), :2].mean(1)] * 4,
      *[x[:, jnp.asarray(pair), :2].mean(1) for pair in LIDS] * 2,
      *[_any_point(draw('anywhere'), x, 0.75)] * 2,
    ],
    1,
  )
  choice = jax.random.randint(draw('which'), (x.shape[0],), 0, regions.shape[1])
  noise = jax.random.uniform(
    draw('shift'), (x.shape[0], 2), minval=-0.1, maxval=0.1
  )
  return regions[jnp.arange(x.shape[0]), choice] + noise


def crop_corner(centre: jax.Array, side: int, size: int) -> jax.Array:
  """[B, 2] int32: the pixel (x, y) where the crop around a point begins."""
  corner = ((centre + 1) * (side / 2) - size / 2).astype(jnp.int32)
  return jax.lax.stop_gradient(jnp.clip(corner, 0, side - size))


def crop(image: jax.Array, centre: jax.Array, size: int) -> jax.Array:
  """[B, size, size, C] around points in [-1, 1], kept inside the picture.

  A picture that is no larger is returned as it is.
  """
  side = image.shape[1]
  if size >= side:
    return image
  corner = crop_corner(centre, side, size)

  def one(picture: jax.Array, xy: jax.Array) -> jax.Array:
    shape = (size, size, picture.shape[-1])
    return jax.lax.dynamic_slice(picture, (xy[1], xy[0], 0), shape)

  return jax.vmap(one)(image, corner)
