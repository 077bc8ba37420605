"""Resampling by whole factors, channel-last."""

import jax
import jax.numpy as jnp


def avg_pool(x: jax.Array, factor: int) -> jax.Array:
  """Mean over factor x factor cells of H and W: [..., H, W, C]."""
  *lead, h, w, c = x.shape
  x = x.reshape(*lead, h // factor, factor, w // factor, factor, c)
  return x.mean((-4, -2))


def nearest_upsample(x: jax.Array, factor: int) -> jax.Array:
  """Repeats H and W: [..., H, W, C] -> [..., H factor, W factor, C]."""
  if factor == 1:
    return x
  *lead, h, w, c = x.shape
  x = jnp.broadcast_to(
    x[..., :, None, :, None, :], (*lead, h, factor, w, factor, c)
  )
  return x.reshape(*lead, h * factor, w * factor, c)


def bilinear_upsample(x: jax.Array, factor: int) -> jax.Array:
  """Half-pixel bilinear enlargement with replicated edges, two matmuls.

  Args:
    x: [B, H, W, C].
    factor: enlargement of H and W.

  Returns:
    [B, H factor, W factor, C].
  """

  def matrix(n: int) -> jax.Array:
    position = (jnp.arange(n * factor) + 0.5) / factor - 0.5
    position = jnp.clip(position, 0, n - 1)
    return jnp.maximum(0.0, 1.0 - jnp.abs(position[:, None] - jnp.arange(n)))

  rows, columns = matrix(x.shape[1]), matrix(x.shape[2])
  return jnp.einsum('ai,bj,nijc->nabc', rows, columns, x)


def binomial_blur(x: jax.Array) -> jax.Array:
  """[1 2 1] / 4 along H and W, edges replicated: [..., H, W, C].

  Takes away what alternates from cell to cell: the grid that a pixel shuffle
  leaves.
  """
  for axis in (-3, -2):
    first = jax.lax.slice_in_dim(x, 0, 1, axis=axis)
    last = jax.lax.slice_in_dim(x, x.shape[axis] - 1, None, axis=axis)
    padded = jnp.concatenate([first, x, last], axis)
    pairs = [
      jax.lax.slice_in_dim(padded, i, i + x.shape[axis], axis=axis)
      for i in (0, 2)
    ]
    x = 0.5 * x + 0.25 * (pairs[0] + pairs[1])
  return x


def gaussian_kernel(factor: int) -> jax.Array:
  """[k] weights that blur before a reduction: sigma (factor - 1) / 2."""
  sigma = (factor - 1) / 2
  reach = round(4 * sigma)
  at = jnp.arange(-reach, reach + 1)
  weights = jnp.exp(-0.5 * jnp.square(at / sigma))
  return weights / weights.sum()


def gaussian_downsample(x: jax.Array, factor: int) -> jax.Array:
  """Blurs and takes every factor-th cell, zeros around; two matmuls.

  Source: the anti-aliased pyramid of the first-order motion model
  (arXiv 2003.00196).

  Args:
    x: [B, H, W, C].
    factor: reduction of H and W; 1: nothing happens.

  Returns:
    [B, ceil(H / factor), ceil(W / factor), C].
  """
  if factor == 1:
    return x
  kernel = gaussian_kernel(factor)
  reach = kernel.shape[0] // 2

  def matrix(n: int) -> jax.Array:
    offset = jnp.arange(n) - factor * jnp.arange(-(-n // factor))[:, None]
    near = jnp.clip(offset + reach, 0, 2 * reach)
    return jnp.where(jnp.abs(offset) <= reach, kernel[near], 0.0)

  rows, columns = matrix(x.shape[1]), matrix(x.shape[2])
  return jnp.einsum('ai,bj,nijc->nabc', rows, columns, x)


def pixel_shuffle(x: jax.Array, factor: int) -> jax.Array:
  """Channels to space; out[h f + i, w f + j, c] = in[h, w, c f^2 + i f + j]."""
  *lead, h, w, c = x.shape
  c //= factor * factor
  n = len(lead)
  x = x.reshape(*lead, h, w, c, factor, factor)
  x = x.transpose(*range(n), n, n + 3, n + 1, n + 4, n + 2)
  return x.reshape(*lead, h * factor, w * factor, c)


def pixel_unshuffle(x: jax.Array, factor: int) -> jax.Array:
  """Space to channels: [..., H, W, C] -> [..., H / f, W / f, f^2 C]."""
  *lead, h, w, c = x.shape
  n = len(lead)
  x = x.reshape(*lead, h // factor, factor, w // factor, factor, c)
  x = x.transpose(*range(n), n, n + 2, n + 1, n + 3, n + 4)
  return x.reshape(*lead, h // factor, w // factor, factor * factor * c)
