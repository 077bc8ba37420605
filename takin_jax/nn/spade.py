"""Spatially adaptive normalisation (SPADE) blocks, channel-last.

Source: Park et al., "Semantic Image Synthesis with Spatially-Adaptive
Normalization" (arXiv 1903.07291), in LivePortrait's arrangement. Inference runs
the blocks of `nn/spade_folded.py`.
"""

from flax import linen as nn
import jax
import jax.numpy as jnp

from takin_jax.nn.blocks import Conv, leaky_relu
from takin_jax.nn.spectral import SpectralConv
from takin_jax.ops.resize import nearest_upsample

SPADE_HIDDEN = 128  # width of the shared convolutions


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

  hidden: int = SPADE_HIDDEN
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
  """Residual block of two SPADE-normalised, spectrally normed convolutions.

  Attributes:
    features: output channels; another width than the input's adds a
      SPADE-normalised 1x1 shortcut without bias.
    dtype: compute type.
  """

  features: int
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(
    self, x: jax.Array, seg: jax.Array, train: bool = False
  ) -> jax.Array:
    middle = min(x.shape[-1], self.features)

    def norm(name: str, y: jax.Array) -> jax.Array:
      return Spade(dtype=self.dtype, name=name)(y, seg)

    def conv(name: str, y: jax.Array, features: int, **kwargs) -> jax.Array:
      return SpectralConv(features, dtype=self.dtype, name=name, **kwargs)(
        y, train
      )

    y = conv('conv0', leaky_relu(norm('norm0', x)), middle)
    y = conv('conv1', leaky_relu(norm('norm1', y)), self.features)
    if x.shape[-1] != self.features:
      x = norm('norm_s', x)
      x = conv('conv_s', x, self.features, kernel=1, use_bias=False)
    return x + y
