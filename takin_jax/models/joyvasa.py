"""JoyVASA's motion generator: speech features -> LivePortrait's motion.

Source: JoyVASA (arXiv 2411.09209), public code and weights (MIT licence), after
DiffPoseTalk (arXiv 2310.00434). Motion and speech of the window before are the
prefix. The decoder's cross-attention sees the speech of its own frame alone, so
its weights are always one: it is a linear map, and is one here.
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
class JoyvasaConfig:
  """Sizes of the generator; the defaults are the published ones.

  Attributes:
    motion_dim: M, numbers per motion frame.
    speech_dim: width of the speech encoder's states.
    dim: E, width.
    layers: of the decoder.
    heads: attention heads.
    window: T, motion frames generated at a time.
    prefix: P, frames of the window before.
  """

  motion_dim: int = 70
  speech_dim: int = 768
  dim: int = 512
  layers: int = 8
  heads: int = 8
  window: int = 100
  prefix: int = 10

  def __post_init__(self):
    check_range(self, 1, 10_000, 'motion_dim', 'speech_dim', 'dim', 'window')
    check_range(self, 1, 1000, 'layers', 'heads', 'prefix')
    if self.dim % self.heads or self.dim % 2:
      raise ValueError(f'dim {self.dim} is not a multiple of {self.heads}.')


def sinusoids(count: int, dim: int) -> np.ndarray:
  """Positions as sinusoids, sine and cosine in turn: float32 [count, dim]."""
  rate = np.exp(np.arange(0, dim, 2) * -(np.log(10_000.0) / dim))
  angle = np.arange(count)[:, None] * rate
  return np.stack([np.sin(angle), np.cos(angle)], -1).reshape(count, dim)


def resize_linear(x: jax.Array, length: int) -> jax.Array:
  """Linear interpolation along time, as torch without aligned corners.

  Args:
    x: [B, S, C].
    length: T.

  Returns:
    [B, T, C].
  """
  given = x.shape[1]
  place = (np.arange(length) + 0.5) * given / length - 0.5
  place = np.clip(place, 0, given - 1)
  low = np.floor(place).astype(np.int32)
  share = (place - low).astype(np.float32)[:, None]
  high = np.minimum(low + 1, given - 1)
  return x[:, low] * (1 - share) + x[:, high] * share


class DecoderLayer(nn.Module):
  """Self-attention, speech of the own frame, feed-forward; post-norm."""

  heads: int
  dtype: Dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, speech: jax.Array) -> jax.Array:
    dim, dtype = x.shape[-1], self.dtype

    def norm(name: str, x: jax.Array) -> jax.Array:
      return nn.LayerNorm(name=name, **NORM)(x)

    def dense(name: str, width: int, x: jax.Array) -> jax.Array:
      return nn.Dense(width, dtype=dtype, name=name)(x)

    attention = Attention(self.heads, dtype, name='self_attention')
    x = norm('norm1', x + attention(x, x, x))
    heard = dense('speech_out', dim, dense('speech_in', dim, speech))
    x = norm('norm2', x + heard)
    inner = nn.gelu(dense('ffn_in', 4 * dim, x), approximate=False)
    return norm('norm3', x + dense('ffn_out', dim, inner))


class JoyvasaDenoiser(nn.Module):
  """Predicts clean motion; call `encode_speech` once, then the module."""

  cfg: JoyvasaConfig
  dtype: Dtype = jnp.float32

  def setup(self):
    cfg, normal = self.cfg, nn.initializers.normal(1.0)

    def dense(width: int) -> nn.Dense:
      return nn.Dense(width, dtype=self.dtype)

    self.start_motion = self.param(
      'start_motion', normal, (cfg.prefix, cfg.motion_dim)
    )
    self.start_speech = self.param(
      'start_speech', normal, (cfg.prefix, cfg.dim)
    )
    self.null_speech = self.param('null_speech', normal, (cfg.dim,))
    self.speech_map = dense(cfg.dim)
    self.motion_in = dense(cfg.dim)
    self.step_in, self.step_out = dense(cfg.dim), dense(cfg.dim)
    self.layers = [
      DecoderLayer(cfg.heads, self.dtype) for _ in range(cfg.layers)
    ]
    self.out_in = dense(cfg.dim // 2)
    self.out_out = nn.Dense(cfg.motion_dim)

  def encode_speech(self, states: jax.Array) -> jax.Array:
    """States of the speech encoder [B, S, H] -> [B, T, E], one per frame."""
    states = resize_linear(states.astype(jnp.float32), self.cfg.window)
    return self.speech_map(states)

  def no_speech(self, batch: int) -> jax.Array:
    """What stands for speech without guidance: [B, T, E]."""
    return jnp.broadcast_to(
      self.null_speech, (batch, self.cfg.window, self.cfg.dim)
    )

  def first_prefix(self, batch: int) -> tuple[jax.Array, jax.Array]:
    """Motion [B, P, M] and speech [B, P, E] before the first window."""
    return tuple(
      jnp.broadcast_to(x, (batch, *x.shape))
      for x in (self.start_motion, self.start_speech)
    )

  def __call__(
    self,
    motion: jax.Array,
    step: jax.Array,
    speech: jax.Array,
    prefix_motion: jax.Array,
    prefix_speech: jax.Array,
  ) -> jax.Array:
    """Clean motion of prefix and window.

    Args:
      motion: [B, T, M] noisy.
      step: [B] of the diffusion, 1 to N.
      speech: [B, T, E] of `encode_speech`.
      prefix_motion: [B, P, M].
      prefix_speech: [B, P, E].

    Returns:
      [B, P + T, M] float32.
    """
    cfg = self.cfg
    sizes = check_shape(motion, 'B T M', M=cfg.motion_dim)
    check_shape(speech, 'B T E', E=cfg.dim, **sizes)
    check_shape(prefix_motion, 'B P M', P=cfg.prefix, B=sizes['B'])
    check_shape(prefix_speech, 'B P E', P=cfg.prefix, E=cfg.dim)
    x = self.motion_in(jnp.concatenate([prefix_motion, motion], 1))
    speech = jnp.concatenate([prefix_speech, speech], 1)
    steps = jnp.asarray(sinusoids(1001, cfg.dim), jnp.float32)[step]
    steps = self.step_out(nn.gelu(self.step_in(steps), approximate=False))
    places = jnp.asarray(sinusoids(x.shape[1], cfg.dim), x.dtype)
    x = x + places + steps[:, None]
    for layer in self.layers:
      x = layer(x, speech)
    out = nn.gelu(self.out_in(x), approximate=False)
    return self.out_out(out).astype(jnp.float32)

  def all(self, states: jax.Array, motion: jax.Array) -> jax.Array:
    """Touches every parameter, for `init`."""
    batch = motion.shape[0]
    speech = self.encode_speech(states) + self.no_speech(batch)
    step = jnp.ones(batch, jnp.int32)
    return self(motion, step, speech, *self.first_prefix(batch))
