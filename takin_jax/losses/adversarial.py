"""Adversarial losses of stage 1: pure functions, float32.

Source: the hinge loss (Lim and Ye, arXiv 1705.02894) and feature matching
(pix2pixHD, arXiv 1711.11585), as face-vid2vid (arXiv 2011.15126) uses them.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp


def discriminator_loss(real: jax.Array, fake: jax.Array) -> jax.Array:
  """Hinge: mean max(0, 1 - D(real)) + mean max(0, 1 + D(fake)).

  Args:
    real: [B, h, w, 1] scores of real pictures.
    fake: [B, h, w, 1] scores of made ones, no gradient to the generator.
  """
  return jax.nn.relu(1.0 - real).mean() + jax.nn.relu(1.0 + fake).mean()


def generator_loss(fake: jax.Array) -> jax.Array:
  """-mean D(fake)."""
  return -fake.mean()


def feature_matching(
  real: Sequence[jax.Array], fake: Sequence[jax.Array]
) -> jax.Array:
  """Sum over the discriminator's features of the mean |real - fake|."""
  pairs = zip(real, fake, strict=True)
  return sum(
    jnp.abs(jax.lax.stop_gradient(a) - b).astype(jnp.float32).mean()
    for a, b in pairs
  )
