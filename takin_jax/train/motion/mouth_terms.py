"""Stage-1 loss terms on the mouth alone: what its painter learns from."""

from typing import Any

import jax
import jax.numpy as jnp

from takin_jax.face import INNER_LIPS, MOUTH_CORNERS, OUTER_LIPS
from takin_jax.losses import motion as losses
from takin_jax.losses import perceptual
from takin_jax.ops.resize import avg_pool, bilinear_upsample
from takin_jax.train.motion.loss_config import MotionLossConfig, Terms, weighted
from takin_jax.train.motion.picture_terms import crop

_LIPS = jnp.array([*MOUTH_CORNERS, *OUTER_LIPS, *INNER_LIPS])
_CROP_PX, _CLOSE_UP_PX = 80, 48  # of a 256 px picture
_SHIFT = 0.04  # of the crops, [-1, 1] units: no pixel has a fixed place
_INSIDE = 8.0  # extra weight of what lies between the lips


def mouth_terms(
  cfg: MotionLossConfig,
  batch: dict[str, Any],
  frame: dict[str, jax.Array],
  target: jax.Array,
  nets: dict[str, Any],
  key: jax.Array,
) -> Terms:
  """Distances of the made mouth to the real one.

  Args:
    cfg: weights.
    batch: has `driving_x`.
    frame: made with a mouth painter: `image` [B, H, H, 3] and `inside`.
    target: [B, H, H, 3] the driving picture in [0, 1].
    nets: weights of the perceptual networks.
    key: random key.
  """
  side = target.shape[1]
  layers = [frame['image'], target, frame['inside']]
  layers = jnp.concatenate(layers, -1)
  centre = batch['driving_x'][:, _LIPS, :2].mean(1)
  shift = jax.random.uniform(
    key, (2, *centre.shape), minval=-_SHIFT, maxval=_SHIFT
  )

  def cropped(size: int, shift: jax.Array) -> list[jax.Array]:
    view = crop(layers, centre + shift, size * side // 256)
    return jnp.split(view, (3, 6), -1)

  wide = cropped(_CROP_PX, shift[0])
  near = cropped(_CLOSE_UP_PX, shift[1])

  def lpips(pair: list[jax.Array], enlarge: int) -> jax.Array:
    pair = [bilinear_upsample(p, enlarge) for p in pair[:2]]
    return perceptual.lpips(nets['alexnet'], *pair).mean()

  return weighted(
    cfg,
    lips_l1=lambda: _l1(*wide),
    lips_lpips=lambda: lpips(wide, 1),
    lips_close_up=lambda: lpips(near, 2),
  )


def _l1(made: jax.Array, real: jax.Array, inside: jax.Array) -> jax.Array:
  """At full and at a quarter of the size; more between the lips."""
  weight = 1.0 + _INSIDE * jax.lax.stop_gradient(inside)
  return sum(
    losses.weighted_l1(*(avg_pool(p, factor) for p in (made, real, weight)))
    for factor in (1, 4)
  )
