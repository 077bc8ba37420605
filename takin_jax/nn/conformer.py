"""Conformer with relative positions, in its published variants.

In and out: [B, T, E]. Source: Conformer (arXiv 2005.08100), positions after
Transformer-XL (arXiv 1901.02860). Options cover espnet's pre- and post-norm
encoders (as AniTalker uses them) and transformers' Wav2Vec2Conformer. The
default has layer norm in the convolution, so that nothing is mutable.
"""

import dataclasses

from flax import linen as nn
import jax
import jax.numpy as jnp

from takin_jax.nn.dropout import Dropout
from takin_jax.ops.depthwise import depthwise_conv1d

Dtype = jnp.dtype


@dataclasses.dataclass(frozen=True)
class ConformerConfig:
  """A stack of Conformer layers.

  Attributes:
    dim: E, width.
    layers: number of layers.
    heads: attention heads.
    ffn_dim: inner width of the two feed-forward parts.
    kernel: taps of the depthwise convolution, odd.
    dropout: of every branch, the attention weights and the positions.
    norm_first: norms before the branches (pre-norm) or after the sums.
    conv_norm: norm inside the convolution: 'layer' or 'batch'.
    conv_bias: its convolutions have a bias.
    norm_eps: of the layer norms.
    scale_input: multiply the input by sqrt(E), as espnet does.
    zero_padding: set frames that the mask leaves out to zero at the start.
  """

  dim: int = 512
  layers: int = 4
  heads: int = 8
  ffn_dim: int = 2048
  kernel: int = 13
  dropout: float = 0.1
  norm_first: bool = True
  conv_norm: str = 'layer'
  conv_bias: bool = True
  norm_eps: float = 1e-5
  scale_input: bool = False
  zero_padding: bool = True

  def __post_init__(self):
    if self.conv_norm not in ('layer', 'batch'):
      raise ValueError(
        f"conv_norm is 'layer' or 'batch', not {self.conv_norm!r}."
      )
    if self.dim % (2 * self.heads):
      raise ValueError(
        f'dim {self.dim} is not a multiple of twice the {self.heads} heads.'
      )

  def norm(self, name: str) -> nn.LayerNorm:
    """A layer norm that computes and answers in float32."""
    return nn.LayerNorm(
      epsilon=self.norm_eps,
      dtype=jnp.float32,
      use_fast_variance=False,
      name=name,
    )


def relative_positions(frames: int, dim: int) -> jax.Array:
  """Sinusoids of the distances T - 1, ..., 0, ..., -(T - 1).

  Returns:
    [2 T - 1, E] float32, sine and cosine in turn.
  """
  distance = jnp.arange(frames - 1, -frames, -1, dtype=jnp.float32)
  rate = jnp.exp(jnp.arange(0, dim, 2) * (-jnp.log(10_000.0) / dim))
  angle = distance[:, None] * rate
  table = jnp.stack([jnp.sin(angle), jnp.cos(angle)], -1)
  return table.reshape(2 * frames - 1, dim)


def relative_shift(scores: jax.Array) -> jax.Array:
  """Picks score T - 1 - i + j of query i for key j.

  Args:
    scores: [B, N, T, 2 T - 1], one score per query and distance.

  Returns:
    [B, N, T, T].
  """
  b, n, t, distances = scores.shape
  padded = jnp.pad(scores, ((0, 0), (0, 0), (0, 0), (1, 0)))
  rows = padded.reshape(b, n, distances + 1, t)[:, :, 1:]
  return rows.reshape(b, n, t, distances)[..., :t]


class RelativeAttention(nn.Module):
  """Self-attention over content and distance, softmax in float32.

  Attributes:
    cfg: sizes.
    dtype: compute type.
  """

  cfg: ConformerConfig
  dtype: Dtype = jnp.float32

  @nn.compact
  def __call__(
    self,
    x: jax.Array,
    positions: jax.Array,
    mask: jax.Array | None = None,
    train: bool = False,
  ) -> jax.Array:
    """Attends.

    Args:
      x: [B, T, E].
      positions: [2 T - 1, E], of `relative_positions`.
      mask: [B, T] True where a frame may be looked at.
      train: dropout on.

    Returns:
      [B, T, E].
    """
    cfg = self.cfg
    b, t, dim = x.shape
    size = dim // cfg.heads

    def dense(name: str, x: jax.Array, bias: bool = True) -> jax.Array:
      x = nn.Dense(dim, use_bias=bias, dtype=self.dtype, name=name)(x)
      return x.reshape(*x.shape[:-1], cfg.heads, size)

    q, k, v = (dense(f'linear_{n}', x) for n in 'qkv')
    p = dense('linear_pos', positions, bias=False)
    shape, init = (cfg.heads, size), nn.initializers.xavier_uniform()
    u = self.param('pos_bias_u', init, shape).astype(self.dtype)
    w = self.param('pos_bias_v', init, shape).astype(self.dtype)
    content = jnp.einsum('bihd,bjhd->bhij', q + u, k)
    distance = relative_shift(jnp.einsum('bihd,khd->bhik', q + w, p))
    scores = (content + distance).astype(jnp.float32) * size**-0.5
    if mask is not None:
      seen = mask[:, None, None, :]
      scores = jnp.where(seen, scores, jnp.finfo(jnp.float32).min)
    weights = nn.softmax(scores)
    self.sow('intermediates', 'weights', weights)
    weights = Dropout(cfg.dropout, deterministic=not train)(weights)
    out = jnp.einsum('bhij,bjhd->bihd', weights.astype(self.dtype), v)
    return nn.Dense(dim, dtype=self.dtype, name='linear_out')(
      out.reshape(b, t, dim)
    )


class ConvModule(nn.Module):
  """Gated pointwise, depthwise, norm, swish, pointwise.

  Attributes:
    cfg: sizes.
    dtype: compute type.
  """

  cfg: ConformerConfig
  dtype: Dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
    """[B, T, E] -> [B, T, E]."""
    cfg, dim = self.cfg, x.shape[-1]

    def dense(features: int, name: str) -> nn.Dense:
      return nn.Dense(
        features, use_bias=cfg.conv_bias, dtype=self.dtype, name=name
      )

    x = nn.glu(dense(2 * dim, 'pointwise_in')(x))
    init = nn.initializers.variance_scaling(
      1.0, 'fan_in', 'truncated_normal', in_axis=0, out_axis=()
    )
    kernel = self.param('depthwise', init, (cfg.kernel, dim))
    x = depthwise_conv1d(x, kernel.astype(self.dtype))
    if cfg.conv_bias:
      bias = self.param('depthwise_bias', nn.initializers.zeros, (dim,))
      x = x + bias.astype(self.dtype)
    if cfg.conv_norm == 'layer':
      x = cfg.norm('norm')(x)
    else:
      x = nn.BatchNorm(
        use_running_average=not train,
        momentum=0.9,
        dtype=jnp.float32,
        name='norm',
      )(x)
    return dense(dim, 'pointwise_out')(nn.swish(x.astype(self.dtype)))


class ConformerLayer(nn.Module):
  """Half feed-forward, attention, convolution, half feed-forward, norm.

  Attributes:
    cfg: sizes and order of the norms.
    dtype: compute type; norms are float32.
  """

  cfg: ConformerConfig
  dtype: Dtype = jnp.float32

  @nn.compact
  def __call__(
    self,
    x: jax.Array,
    positions: jax.Array,
    mask: jax.Array | None = None,
    train: bool = False,
  ) -> jax.Array:
    """[B, T, E] -> [B, T, E]; see `RelativeAttention` for the arguments."""
    cfg = self.cfg

    def add(x: jax.Array, branch, norm_name: str, part: float) -> jax.Array:
      norm = cfg.norm(norm_name)
      drop = Dropout(cfg.dropout, deterministic=not train)
      if cfg.norm_first:
        return x + part * drop(branch(norm(x).astype(self.dtype)))
      return norm(x + part * drop(branch(x))).astype(self.dtype)

    def feed_forward(name: str):
      def branch(x: jax.Array) -> jax.Array:
        x = nn.Dense(cfg.ffn_dim, dtype=self.dtype, name=f'{name}_in')(x)
        x = Dropout(cfg.dropout, deterministic=not train)(nn.swish(x))
        return nn.Dense(cfg.dim, dtype=self.dtype, name=f'{name}_out')(x)

      return branch

    attention = RelativeAttention(cfg, self.dtype, name='attention')
    conv = ConvModule(cfg, self.dtype, name='conv')
    x = add(x, feed_forward('ffn1'), 'norm_ffn1', 0.5)
    x = add(x, lambda y: attention(y, positions, mask, train), 'norm_att', 1.0)
    x = add(x, lambda y: conv(y, train), 'norm_conv', 1.0)
    x = add(x, feed_forward('ffn2'), 'norm_ffn2', 0.5)
    return cfg.norm('norm_final')(x).astype(self.dtype)


class Conformer(nn.Module):
  """A stack of Conformer layers.

  Attributes:
    cfg: sizes and variant.
    dtype: compute type.
  """

  cfg: ConformerConfig
  dtype: Dtype = jnp.float32

  @nn.compact
  def __call__(
    self,
    x: jax.Array,
    mask: jax.Array | None = None,
    train: bool = False,
    extra: jax.Array | None = None,
  ) -> jax.Array:
    """Encodes a sequence.

    Args:
      x: [B, T, E].
      mask: [B, T] bool, False for padding.
      train: dropout on; needs the RNG stream 'dropout'.
      extra: [L, B, E] added to every frame before each layer.

    Returns:
      [B, T, E].
    """
    cfg = self.cfg
    if mask is not None and cfg.zero_padding:
      x = jnp.where(mask[..., None], x, 0)
    if cfg.scale_input:
      x = x * cfg.dim**0.5
    drop = Dropout(cfg.dropout, deterministic=not train)
    positions = drop(relative_positions(x.shape[1], cfg.dim))
    x = drop(x.astype(self.dtype))
    for i in range(cfg.layers):
      if extra is not None:
        x = x + extra[i, :, None].astype(self.dtype)
      layer = ConformerLayer(cfg, self.dtype, name=f'layer_{i}')
      x = layer(x, positions, mask, train)
    return cfg.norm('norm_out')(x).astype(self.dtype) if cfg.norm_first else x
