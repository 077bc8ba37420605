"""Stage-1 loss terms of the patch discriminator, and its own loss.

One backward pass serves both sides: the renderer's terms see the
discriminator's parameters as constants, the discriminator's loss sees the made
pictures as constants. So the sum of all terms gives each its own gradients.
"""

from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from takin_jax.config import build
from takin_jax.losses import adversarial as losses
from takin_jax.models.discriminator import Discriminator, DiscriminatorConfig
from takin_jax.renderer import STATS
from takin_jax.train.motion.loss_config import (
  MotionLossConfig,
  Params,
  Terms,
  weighted,
)
from takin_jax.train.motion.picture_terms import crop, interesting_point

GROUP = 'discriminator'


def add_discriminator(
  model: ConfigDict, params: Params, key: jax.Array
) -> Params:
  """Parameters with a fresh discriminator and its statistics."""
  image = jnp.zeros((1, 64, 64, 3))  # of any size: it convolves
  own = _module(model).init(key, image)
  stats = {**params.get(STATS, {}), GROUP: own[STATS]}
  return {**params, GROUP: own['params'], STATS: stats}


def adversarial_terms(
  cfg: MotionLossConfig,
  model: ConfigDict,
  params: Params,
  images: tuple[jax.Array, jax.Array],
  x: jax.Array,
  key: jax.Array,
  train: bool,
) -> tuple[Terms, Params]:
  """Judges made and real pictures.

  Args:
    cfg: weights.
    model: config block of the models.
    params: has the group `discriminator`.
    images: made and real [B, H, W, 3] in [0, 1].
    x: [B, K, 3] keypoints in them, for the place of the crop.
    key: random key.
    train: the spectral norms take a step.

  Returns:
    Weighted terms: `gan`, `feature_matching` and `discriminator` (its own
    loss, of weight 1), and its new statistics by module.
  """
  module = _module(model)
  pair = crop(
    jnp.concatenate(images, -1), interesting_point(key, x), cfg.gan_px
  )
  made, real = pair[..., :3], pair[..., 3:]
  variables = {'params': params[GROUP], STATS: params[STATS][GROUP]}

  def judge(variables: Params, image: jax.Array) -> Any:
    return module.apply(variables, image, train, mutable=[STATS])

  both = jax.lax.stop_gradient(jnp.concatenate([real, made]))
  (scores, features), new = judge(variables, both)
  # The same norms again: both passes start from the same vectors.
  (fooled, seen), _ = judge(jax.lax.stop_gradient(variables), made)
  wanted = [feature[: len(real)] for feature in features]
  terms = weighted(
    cfg,
    gan=lambda: losses.generator_loss(fooled),
    feature_matching=lambda: losses.feature_matching(wanted, seen),
  )
  terms[GROUP] = losses.discriminator_loss(*jnp.split(scores, 2))
  return terms, {GROUP: new[STATS]}


def _module(model: ConfigDict) -> Discriminator:
  cfg = build(DiscriminatorConfig, model.get(GROUP))
  return Discriminator(cfg, jnp.dtype(model.get('dtype', 'float32')))
