"""Attention with one projection for queries, keys and values.

As `torch.nn.MultiheadAttention`, whose parameters it takes.
"""

from flax import linen as nn
import jax
import jax.numpy as jnp

Dtype = jnp.dtype
# Of layer norms as PyTorch has them.
NORM = {'epsilon': 1e-5, 'dtype': jnp.float32, 'use_fast_variance': False}


class Attention(nn.Module):
  """Multi-head attention, [B, T, E] and [B, S, E] -> [B, T, E]."""

  heads: int
  dtype: Dtype = jnp.float32

  @nn.compact
  def __call__(
    self, query: jax.Array, key: jax.Array, value: jax.Array
  ) -> jax.Array:
    """Attends.

    Args:
      query: [B, T, E].
      key: [B, S, E].
      value: [B, S, E].
    """
    dim = query.shape[-1]
    init = nn.initializers.xavier_uniform()
    kernel = self.param('in_kernel', init, (dim, 3 * dim))
    bias = self.param('in_bias', nn.initializers.zeros, (3 * dim,))
    q, k, v = (
      (
        x.astype(self.dtype) @ w.astype(self.dtype) + b.astype(self.dtype)
      ).reshape(*x.shape[:2], self.heads, -1)
      for x, w, b in zip(
        (query, key, value),
        jnp.split(kernel, 3, axis=1),
        jnp.split(bias, 3),
        strict=True,
      )
    )
    out = jax.nn.dot_product_attention(q, k, v)  # softmax in float32
    out = out.reshape(*query.shape[:2], dim)
    return nn.Dense(dim, dtype=self.dtype, name='out')(out)
