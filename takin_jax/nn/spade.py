"""Spatially adaptive normalisation (SPADE) blocks, channel-last.

Source: Park et al., "Semantic Image Synthesis with Spatially-Adaptive
Normalization" (arXiv 1903.07291), in LivePortrait's arrangement.
"""

from flax import linen as nn
import jax
import jax.numpy as jnp

from takin_jax.nn.blocks import Conv, leaky_relu
from takin_jax.ops.resize import nearest_upsample


def instance_norm(x: jax.Array) -> jax.Array:
  """Per-picture, per-channel normalisation, eps 1e-5: [B, H, W, C]."""
  y = x.astype(jnp.float32)
  mean = y.mean((1, 2), keepdims=True)
  var = jnp.square(y - mean).mean((1, 2), keepdims=True)
  return ((y - mean) * jax.lax.rsqrt(var + 1e-5)).astype(x.dtype)


class Spade(nn.Module):
  """instance_norm(x) (1 + gamma(seg)) + beta(seg).

  Attributes:
    hidden: width of the shared convolution.
    dtype: compute type.
  """

  hidden: int = 128
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, seg: jax.Array) -> jax.Array:
    c = x.shape[-1]
    seg = nearest_upsample(seg, x.shape[1] // seg.shape[1])
    hidden = nn.relu(Conv(self.hidden, dtype=self.dtype, name='shared')(seg))
    gamma = Conv(c, dtype=self.dtype, name='gamma')(hidden)
    beta = Conv(c, dtype=self.dtype, name='beta')(hidden)
    return instance_norm(x) * (1 + gamma) + beta


class SpadeResBlock(nn.Module):
  """Residual block of two SPADE-normalised convolutions.

  Attributes:
    features: output channels; another width than the input's adds a
      SPADE-normalised 1x1 shortcut without bias.
    dtype: compute type.
  """

  features: int
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, seg: jax.Array) -> jax.Array:
    middle = min(x.shape[-1], self.features)

    def norm(name: str, y: jax.Array) -> jax.Array:
      return Spade(dtype=self.dtype, name=name)(y, seg)

    y = leaky_relu(norm('norm0', x))
    y = Conv(middle, dtype=self.dtype, name='conv0')(y)
    y = leaky_relu(norm('norm1', y))
    y = Conv(self.features, dtype=self.dtype, name='conv1')(y)
    if x.shape[-1] != self.features:
      x = Conv(
        self.features, 1, use_bias=False, dtype=self.dtype, name='conv_s'
      )(norm('norm_s', x))
    return x + y
