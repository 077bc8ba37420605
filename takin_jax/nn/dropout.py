"""Dropout that costs little: its randomness is a hash of the position.

In and out: [...]. A layer draws millions of numbers per step; JAX's generator
takes 7 ns for each on a CPU, and seconds to compile in every layer. Here each
number is two rounds of a 32-bit mixer over its position and the layer's key,
which becomes one loop with what surrounds it, the same however the array is
divided among devices. Source of the mixer: the finaliser of MurmurHash3
(Appleby, public domain).
"""

from flax import linen as nn
import jax
import jax.numpy as jnp


class Dropout(nn.Module):
  """Zeros a share of the numbers and enlarges the others to make up for it.

  Attributes:
    rate: share, in [0, 1).
    deterministic: does nothing; otherwise it needs the RNG stream 'dropout'.
  """

  rate: float
  deterministic: bool

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    if self.deterministic or not self.rate:
      return x
    kept = keep_mask(self.make_rng('dropout'), x.shape, self.rate)
    return jnp.where(kept, x / (1.0 - self.rate), 0).astype(x.dtype)


def keep_mask(key: jax.Array, shape: tuple[int, ...], rate: float) -> jax.Array:
  """Bool array that is False for a share `rate` of its elements."""
  words = jax.random.key_data(key).reshape(-1)
  at = jnp.zeros(shape, jnp.uint32)
  for axis, size in enumerate(shape):
    at = at * jnp.uint32(size)
    at += jax.lax.broadcasted_iota(jnp.uint32, shape, axis)
  bits = _mixed(_mixed(at ^ words[0]) + words[1])
  return bits >= jnp.uint32(round(rate * 2**32))


def _mixed(x: jax.Array) -> jax.Array:
  """A bijection of 32-bit numbers in which each bit depends on all."""
  x = (x ^ (x >> 16)) * jnp.uint32(0x85EBCA6B)
  x = (x ^ (x >> 13)) * jnp.uint32(0xC2B2AE35)
  return x ^ (x >> 16)
