"""ConvNeXt V2 backbone, channel-last.

Source: Woo et al., "ConvNeXt V2" (arXiv 2301.00808). Layer norms use eps 1e-6
and GELU is the exact (erf) one, as in the published weights.
"""

from flax import linen as nn
import jax
import jax.numpy as jnp

from takin_jax.nn.blocks import gelu
from takin_jax.ops.depthwise import depthwise_conv2d


class GlobalResponseNorm(nn.Module):
  """y = gamma x n / (mean_c(n) + 1e-6) + beta + x, n the L2 norm over H, W."""

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    gamma = self.param('gamma', nn.initializers.zeros, x.shape[-1:])
    beta = self.param('beta', nn.initializers.zeros, x.shape[-1:])
    y = x.astype(jnp.float32)
    norm = jnp.sqrt(jnp.square(y).sum((1, 2), keepdims=True))
    norm = norm / (norm.mean(-1, keepdims=True) + 1e-6)
    return (gamma * y * norm + beta + y).astype(x.dtype)


class DepthwiseConv(nn.Module):
  """7x7 convolution of every channel with its own kernel, and a bias."""

  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    c = x.shape[-1]
    init = nn.initializers.lecun_normal()
    kernel = self.param('kernel', init, (7, 7, 1, c)).astype(self.dtype)
    bias = self.param('bias', nn.initializers.zeros, (c,)).astype(self.dtype)
    return depthwise_conv2d(x.astype(self.dtype), kernel[:, :, 0]) + bias


class ConvNeXtBlock(nn.Module):
  """Depthwise 7x7, layer norm, and a gated MLP of four times the width."""

  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    c = x.shape[-1]
    y = DepthwiseConv(dtype=self.dtype, name='dwconv')(x)
    y = nn.LayerNorm(epsilon=1e-6, dtype=self.dtype, name='norm')(y)
    y = nn.Dense(4 * c, dtype=self.dtype, name='pwconv1')(y)
    y = gelu(y)
    y = GlobalResponseNorm(name='grn')(y)
    return x + nn.Dense(c, dtype=self.dtype, name='pwconv2')(y)


class ConvNeXtV2(nn.Module):
  """[B, H, W, 3] -> [B, dims[-1]], mean over positions and layer norm."""

  depths: tuple[int, ...]
  dims: tuple[int, ...]
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    for i, (depth, dim) in enumerate(zip(self.depths, self.dims, strict=True)):
      size = 2 if i else 4
      norm = nn.LayerNorm(
        epsilon=1e-6, dtype=self.dtype, name=f'downsample{i}_norm'
      )
      if i:
        x = norm(x)
      x = nn.Conv(
        dim,
        (size, size),
        (size, size),
        padding='VALID',
        dtype=self.dtype,
        name=f'downsample{i}_conv',
      )(x)
      if not i:
        x = norm(x)
      for j in range(depth):
        x = ConvNeXtBlock(self.dtype, name=f'stage{i}_block{j}')(x)
    x = x.astype(jnp.float32).mean((1, 2))
    return nn.LayerNorm(epsilon=1e-6, name='norm')(x)
