"""Motion as the denoiser sees it, normalised, and back.

Every number of a motion vector is divided by its deviation. Where the
statistics have directions (`mix`), what moves together, as both lids in a
blink, is one number: noise is independent from number to number, and what few
steps leave of it would close one eye.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

# `mean` [M], `std` [M] and, if motion is decorrelated, `mix` [M, M]: rows are
# orthogonal directions, as long as motion deviates along them.
Stats = Mapping[str, jax.Array]


def normalize(stats: Stats, motion: jax.Array) -> jax.Array:
  """[..., M] motion vectors -> [..., M] normalised; M or its first numbers.

  The first numbers alone, as those of an emotion, are only shifted and scaled.
  """
  size = motion.shape[-1]
  scaled = (motion - stats['mean'][:size]) / stats['std'][:size]
  if 'mix' not in stats or size < len(stats['mean']):
    return scaled
  mix = stats['mix']
  return scaled @ (mix / jnp.square(mix).sum(1, keepdims=True)).T


def normalize_change(stats: Stats, change: jax.Array) -> jax.Array:
  """What a change of the expression is in normalised motion.

  Args:
    stats: as above.
    change: [..., C] the first numbers of a motion vector; the rest stays.

  Returns:
    [..., M].
  """
  rest = len(stats['mean']) - change.shape[-1]
  change = jnp.pad(change, [(0, 0)] * (change.ndim - 1) + [(0, rest)])
  return normalize(stats, change + stats['mean'])


def unnormalize(stats: Stats, normalized: jax.Array) -> jax.Array:
  """Inverse of `normalize` for whole vectors."""
  scaled = normalized @ stats['mix'] if 'mix' in stats else normalized
  return scaled * stats['std'] + stats['mean']


def power(stats: Stats) -> jax.Array | None:
  """[M] what the square of one unit is in scaled motion; None: 1 everywhere.

  An error counts by the motion that it makes, not by the direction's own size:
  the few directions in which speech moves a face are long.
  """
  return jnp.square(stats['mix']).sum(1) if 'mix' in stats else None
