"""Layers of HuBERT: convolutional front end, positions, transformer layers.

In and out: [B, T, E], channel-last. Names follow the published checkpoints.
Source: wav2vec 2.0 (arXiv 2006.11477) and HuBERT (arXiv 2106.07447).
"""

from collections.abc import Sequence

from flax import linen as nn
import jax
import jax.numpy as jnp

from takin_jax.nn.blocks import gelu
from takin_jax.nn.dropout import Dropout
from takin_jax.ops.depthwise import depthwise_conv1d

Dtype = jnp.dtype


def layer_norm(eps: float, name: str) -> nn.LayerNorm:
  """Layer normalisation that computes and answers in float32."""
  return nn.LayerNorm(
    epsilon=eps, dtype=jnp.float32, use_fast_variance=False, name=name
  )


class FeatureExtractor(nn.Module):
  """Strided convolutions from samples or spectra to 50 Hz frames.

  Attributes:
    dims: channels of each convolution.
    kernels: kernel sizes.
    strides: strides.
    norm: 'layer': layer norm after each convolution; 'group': only after
      the first, per channel over time.
    bias: convolutions have a bias.
    eps: of the norms.
    dtype: compute type.
  """

  dims: Sequence[int]
  kernels: Sequence[int]
  strides: Sequence[int]
  norm: str
  bias: bool
  eps: float
  dtype: Dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """[B, S, channels] -> [B, T, C]."""
    x = x.astype(self.dtype)
    layers = zip(self.dims, self.kernels, self.strides, strict=True)
    for i, (dim, kernel, stride) in enumerate(layers):
      x = nn.Conv(
        dim,
        (kernel,),
        (stride,),
        padding='VALID',
        use_bias=self.bias,
        kernel_init=nn.initializers.he_normal(),
        dtype=self.dtype,
        name=f'conv_{i}',
      )(x)
      if self.norm == 'layer':
        x = layer_norm(self.eps, f'norm_{i}')(x)
      elif i == 0:
        x = nn.GroupNorm(
          num_groups=dim,
          epsilon=self.eps,
          dtype=jnp.float32,
          use_fast_variance=False,
          name='norm_0',
        )(x)
      x = gelu(x.astype(self.dtype))
    return x


class PositionalConv(nn.Module):
  """Relative positions: a wide grouped convolution, weight-normalised.

  Attributes:
    kernel: taps; an even number looks one frame further back than ahead.
    groups: groups of channels.
    dtype: compute type.
  """

  kernel: int
  groups: int
  dtype: Dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """[B, T, E] -> [B, T, E]."""
    dim, k = x.shape[-1], self.kernel
    v = self.param(
      'v', nn.initializers.he_normal(), (k, dim // self.groups, dim)
    )
    g = self.param('g', _norm_of(v), (k, 1, 1))
    bias = self.param('bias', nn.initializers.zeros, (dim,))
    norm = jnp.sqrt(jnp.square(v).sum((1, 2), keepdims=True))
    kernel = (v * (g / norm)).astype(self.dtype)
    x = x.astype(self.dtype)
    if self.groups == dim:
      x = depthwise_conv1d(x, kernel[:, 0])
    else:
      x = jax.lax.conv_general_dilated(
        x,
        kernel,
        window_strides=(1,),
        padding=((k // 2, (k - 1) // 2),),
        dimension_numbers=('NHC', 'HIO', 'NHC'),
        feature_group_count=self.groups,
      )
    return gelu(x + bias.astype(self.dtype))


def _norm_of(v: jax.Array):
  """Initialiser of the weight norm's gain: the kernel starts as v itself."""

  def init(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    del key
    return jnp.sqrt(jnp.square(v).sum((1, 2))).reshape(shape)

  return init


class SelfAttention(nn.Module):
  """Multi-head self-attention, softmax in float32.

  Attributes:
    heads: number of heads.
    dropout: of the attention weights.
    dtype: compute type.
  """

  heads: int
  dropout: float = 0.0
  dtype: Dtype = jnp.float32

  @nn.compact
  def __call__(
    self, x: jax.Array, mask: jax.Array | None = None, train: bool = False
  ) -> jax.Array:
    """[B, T, E], mask [B, T] (True: may be looked at) -> [B, T, E]."""
    b, t, dim = x.shape
    q, k, v = (
      nn.Dense(dim, dtype=self.dtype, name=name)(x).reshape(
        b, t, self.heads, dim // self.heads
      )
      for name in ('q_proj', 'k_proj', 'v_proj')
    )
    scores = jnp.einsum('bihd,bjhd->bhij', q * (dim // self.heads) ** -0.5, k)
    scores = scores.astype(jnp.float32)
    if mask is not None:
      lowest = jnp.finfo(jnp.float32).min
      scores = jnp.where(mask[:, None, None, :], scores, lowest)
    weights = nn.softmax(scores).astype(self.dtype)
    weights = Dropout(self.dropout, deterministic=not train)(weights)
    out = jnp.einsum('bhij,bjhd->bihd', weights, v).reshape(b, t, dim)
    return nn.Dense(dim, dtype=self.dtype, name='out_proj')(out)


class TransformerLayer(nn.Module):
  """One encoder layer.

  Attributes:
    heads: attention heads.
    ffn_dim: inner width of the feed-forward part.
    norm_first: pre-norm ("stable layer norm"); else post-norm.
    dropout: of attention weights and of both branches.
    eps: of the norms.
    dtype: compute type.
  """

  heads: int
  ffn_dim: int
  norm_first: bool
  dropout: float
  eps: float
  dtype: Dtype = jnp.float32

  @nn.compact
  def __call__(
    self, x: jax.Array, mask: jax.Array | None = None, train: bool = False
  ) -> jax.Array:
    """[B, T, E], mask [B, T] -> [B, T, E]."""
    norm = layer_norm(self.eps, 'layer_norm')
    final_norm = layer_norm(self.eps, 'final_layer_norm')
    if self.norm_first:
      x = x + self._attention(norm(x), mask, train)
      return x + self._feed_forward(final_norm(x), train)
    x = norm(x + self._attention(x, mask, train)).astype(self.dtype)
    return final_norm(x + self._feed_forward(x, train)).astype(self.dtype)

  def _attention(
    self, x: jax.Array, mask: jax.Array | None, train: bool
  ) -> jax.Array:
    x = SelfAttention(self.heads, self.dropout, self.dtype, name='attention')(
      x.astype(self.dtype), mask, train
    )
    return Dropout(self.dropout, deterministic=not train)(x)

  def _feed_forward(self, x: jax.Array, train: bool) -> jax.Array:
    dim = x.shape[-1]
    drop = Dropout(self.dropout, deterministic=not train)
    x = nn.Dense(self.ffn_dim, dtype=self.dtype, name='ffn_in')(x)
    x = drop(gelu(x))
    return drop(nn.Dense(dim, dtype=self.dtype, name='ffn_out')(x))
