"""Ditto's motion generator: speech and conditions -> LivePortrait's motion.

Source: Ditto (arXiv 2411.19509), public code and weights (Apache-2.0), whose
decoder is EDGE's (arXiv 2211.10658). The rotary embedding turns the whole
vector before the projections of queries and keys, not each head after them.
"""

import dataclasses

from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.config import check_range
from takin_jax.nn.attention import NORM, Attention
from takin_jax.shapes import check_shape

Dtype = jnp.dtype


@dataclasses.dataclass(frozen=True)
class DittoConfig:
  """Sizes of the generator; the defaults are the published ones.

  Attributes:
    motion_dim: M, numbers per motion frame.
    cond_dim: C, conditions per frame: speech 1024, emotion 8, eye openness 2,
      gaze 6 and canonical keypoints 63.
    dim: E, width.
    ffn_dim: inner width of the feed-forward parts.
    layers: of the decoder.
    heads: attention heads.
    window: T, motion frames generated at a time.
  """

  motion_dim: int = 265
  cond_dim: int = 1103
  dim: int = 512
  ffn_dim: int = 1024
  layers: int = 8
  heads: int = 8
  window: int = 80

  def __post_init__(self):
    names = ('motion_dim', 'cond_dim', 'dim', 'ffn_dim', 'window')
    check_range(self, 1, 10_000, *names)
    check_range(self, 1, 1000, 'layers', 'heads')
    if self.dim % self.heads or self.dim % 4:
      raise ValueError(f'dim {self.dim} is not a multiple of {self.heads}.')


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Conditions:
  """What the motion depends on, computed once per window.

  Attributes:
    tokens: [B, T, E].
    hidden: [B, E] their mean, projected.
  """

  tokens: jax.Array
  hidden: jax.Array


def rotary(x: jax.Array) -> jax.Array:
  """Turns pairs of neighbouring numbers by their position: [B, T, E]."""
  length, dim = x.shape[-2:]
  rate = 10_000.0 ** (np.arange(0, dim, 2) / dim)
  rate = np.float32(1) / rate.astype(np.float32)
  angle = np.arange(length, dtype=np.float32)[:, None] * rate
  cos, sin = jnp.asarray(np.cos(angle)), jnp.asarray(np.sin(angle))
  even, odd = x[..., ::2], x[..., 1::2]
  pairs = (even * cos - odd * sin, odd * cos + even * sin)
  return jnp.stack(pairs, -1).reshape(x.shape)


def step_sinusoids(dim: int) -> np.ndarray:
  """Of every diffusion step, all sines and then all cosines: [1000, E].

  In float32, as the public code has them.
  """
  half = dim // 2
  rate = np.float32(-np.log(10_000.0) / (half - 1))
  rate = np.exp(np.arange(half, dtype=np.float32) * rate)
  angle = np.arange(1000, dtype=np.float32)[:, None] * rate
  return np.concatenate([np.sin(angle), np.cos(angle)], -1)


class Block(nn.Module):
  """Pre-norm branches: self-attention, memory (if any), feed-forward.

  Each branch of a block with a memory is scaled and shifted by `step`.
  """

  cfg: DittoConfig
  dtype: Dtype = jnp.float32

  @nn.compact
  def __call__(
    self,
    x: jax.Array,
    memory: jax.Array | None = None,
    step: jax.Array | None = None,
  ) -> jax.Array:
    cfg, dtype, dim = self.cfg, self.dtype, x.shape[-1]

    def norm(name: str, x: jax.Array) -> jax.Array:
      return nn.LayerNorm(name=name, **NORM)(x)

    def dense(name: str, width: int, x: jax.Array) -> jax.Array:
      return nn.Dense(width, dtype=dtype, name=name)(x)

    def modulate(name: str, branch: jax.Array) -> jax.Array:
      if step is None:
        return branch
      scale, shift = jnp.split(dense(name, 2 * dim, mish(step)), 2, -1)
      return (scale[:, None] + 1.0) * branch + shift[:, None]

    attention = Attention(cfg.heads, dtype, name='self_attention')
    own = norm('norm1', x)
    turned = rotary(own)
    x = x + modulate('film1', attention(turned, turned, own))
    if memory is not None:
      attention = Attention(cfg.heads, dtype, name='cross_attention')
      turned = rotary(norm('norm2', x))
      seen = attention(turned, rotary(memory), memory)
      x = x + modulate('film2', seen)
    last = 'norm2' if memory is None else 'norm3'
    inner = nn.gelu(
      dense('ffn_in', cfg.ffn_dim, norm(last, x)), approximate=False
    )
    return x + modulate('film3', dense('ffn_out', dim, inner))


class DittoDenoiser(nn.Module):
  """Predicts clean motion; call `encode` once, then the module."""

  cfg: DittoConfig
  dtype: Dtype = jnp.float32

  def setup(self):
    cfg, dim, normal = self.cfg, self.cfg.dim, nn.initializers.normal(1.0)

    def dense(width: int) -> nn.Dense:
      return nn.Dense(width, dtype=self.dtype)

    def norm() -> nn.LayerNorm:
      return nn.LayerNorm(**NORM)

    self.null_tokens = self.param('null_tokens', normal, (cfg.window, dim))
    self.null_hidden = self.param('null_hidden', normal, (dim,))
    self.cond_in = dense(dim)
    self.cond_blocks = [Block(cfg, self.dtype) for _ in range(2)]
    self.hidden_norm = norm()
    self.hidden_in, self.hidden_out = dense(dim), dense(dim)
    self.step_in = dense(4 * dim)
    self.step_hidden, self.step_tokens = dense(dim), dense(2 * dim)
    self.token_norm = norm()
    self.motion_in = dense(dim)
    self.blocks = [Block(cfg, self.dtype) for _ in range(cfg.layers)]
    self.motion_out = nn.Dense(cfg.motion_dim)

  def encode(self, cond: jax.Array) -> Conditions:
    """[B, T, C] conditions per frame -> what the module takes."""
    check_shape(cond, 'B T C', T=self.cfg.window, C=self.cfg.cond_dim)
    tokens = self.cond_in(cond)
    for block in self.cond_blocks:
      tokens = block(tokens)
    hidden = self.hidden_norm(tokens.mean(-2))
    return Conditions(tokens, self.hidden_out(nn.silu(self.hidden_in(hidden))))

  def nothing(self, batch: int) -> Conditions:
    """What stands for the conditions without guidance."""
    return Conditions(
      *(
        jnp.broadcast_to(x, (batch, *x.shape))
        for x in (self.null_tokens, self.null_hidden)
      )
    )

  def __call__(
    self, motion: jax.Array, step: jax.Array, first: jax.Array, cond: Conditions
  ) -> jax.Array:
    """Clean motion.

    Args:
      motion: [B, T, M] noisy.
      step: [B] of the diffusion, 0 to 999.
      first: [B, M] the frame before the window.
      cond: of `encode` or `nothing`.

    Returns:
      [B, T, M] float32.
    """
    cfg = self.cfg
    sizes = check_shape(motion, 'B T M', T=cfg.window, M=cfg.motion_dim)
    check_shape(first, 'B M', **sizes)
    batch = motion.shape[0]
    first = jnp.broadcast_to(first[:, None], motion.shape)
    x = self.motion_in(jnp.concatenate([motion, first], -1))
    steps = jnp.asarray(step_sinusoids(cfg.dim), jnp.float32)[step]
    steps = mish(self.step_in(steps))
    hidden = self.step_hidden(steps) + cond.hidden
    tokens = self.step_tokens(steps).reshape(batch, 2, cfg.dim)
    memory = self.token_norm(jnp.concatenate([cond.tokens, tokens], 1))
    for block in self.blocks:
      x = block(x, memory, hidden)
    return self.motion_out(x).astype(jnp.float32)

  def all(self, motion: jax.Array, cond: jax.Array) -> jax.Array:
    """Touches every parameter, for `init`."""
    cond = jax.tree.map(
      jnp.add, self.encode(cond), self.nothing(motion.shape[0])
    )
    step = jnp.zeros(motion.shape[0], jnp.int32)
    return self(motion, step, motion[:, 0], cond)


def mish(x: jax.Array) -> jax.Array:
  """x tanh(softplus(x))."""
  return x * jnp.tanh(nn.softplus(x))
