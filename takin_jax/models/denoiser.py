"""Denoiser: noisy motion and speech -> what the diffusion process needs.

In: hidden states of the speech encoder (50 Hz) and noisy, normalised motion
(25 Hz). Out: noise, x_0 or v of the motion, whichever it is trained for.
Source: Takin-ADA (arXiv 2410.14283), section 3.2, and DAE-Talker (arXiv
2303.17550). Ours: earlier motion as a prefix in time, the portrait's keypoints
as a condition, step and emotion added before every layer.
"""

import dataclasses

from flax import linen as nn
from flax import struct
import jax
import jax.numpy as jnp

from takin_jax.nn.conformer import Conformer, ConformerConfig
from takin_jax.shapes import check_shape

Dtype = jnp.dtype


@dataclasses.dataclass(frozen=True)
class DenoiserConfig:
  """Sizes of the denoiser; the defaults are the full model.

  Attributes:
    motion_dim: M, numbers per motion frame.
    speech: the speech encoder's Conformer.
    motion: the motion generator's Conformer.
  """

  motion_dim: int = 70
  speech: ConformerConfig = ConformerConfig(layers=4)
  motion: ConformerConfig = ConformerConfig(layers=8)


@struct.dataclass
class Conditions:
  """All that the motion depends on, but its own noisy version.

  Attributes:
    speech: [B, T, E] of `MotionDenoiser.encode_speech`.
    emotion: [B, C] mean expression, normalised like the motion.
    source_kp: [B, C] canonical keypoints of the portrait.
    prefix: [B, P, M] normalised motion right before the window.
    prefix_mask: [B, P] bool, False where there was none.
    frame_mask: [B, T] bool, False for padding; None: no padding.
  """

  speech: jax.Array
  emotion: jax.Array
  source_kp: jax.Array
  prefix: jax.Array
  prefix_mask: jax.Array
  frame_mask: jax.Array | None = None


def step_embedding(step: jax.Array, dim: int) -> jax.Array:
  """Sinusoids of the diffusion step.

  Args:
    step: [B] integers.
    dim: E, even.

  Returns:
    [B, E] float32.
  """
  rate = jnp.exp(-jnp.log(10_000.0) * jnp.arange(dim // 2) / (dim // 2))
  angle = step.astype(jnp.float32)[:, None] * rate
  return jnp.concatenate([jnp.cos(angle), jnp.sin(angle)], -1)


class StateMix(nn.Module):
  """Learned average of the speech encoder's layers, and 50 -> 25 Hz.

  Attributes:
    dim: output width.
    dtype: compute type.
  """

  dim: int
  dtype: Dtype = jnp.float32

  @nn.compact
  def __call__(self, states: jax.Array) -> jax.Array:
    """[L + 1, B, 2T, E] -> [B, T, dim]."""
    logits = self.param('logits', nn.initializers.zeros, states.shape[:1])
    mixed = jnp.tensordot(nn.softmax(logits), states.astype(jnp.float32), 1)
    return nn.Conv(
      self.dim, (3,), (2,), padding=1, dtype=self.dtype, name='downsample'
    )(mixed)


class MotionDenoiser(nn.Module):
  """Speech Conformer and motion Conformer.

  To sample, call `encode_speech` once per window and `denoise` at every step.

  Attributes:
    cfg: sizes.
    dtype: compute type; norms and softmax are float32.
  """

  cfg: DenoiserConfig
  dtype: Dtype = jnp.float32

  def setup(self):
    cfg, dim = self.cfg, self.cfg.motion.dim

    def dense(features: int) -> nn.Dense:
      return nn.Dense(features, dtype=self.dtype)

    self.state_mix = StateMix(cfg.speech.dim, self.dtype)
    self.speech_encoder = Conformer(cfg.speech, self.dtype)
    self.motion_in = dense(dim)
    self.speech_in = dense(dim)
    self.emotion_in = dense(dim)
    self.source_in = dense(dim)
    self.step_mlp = nn.Sequential([dense(dim), nn.swish, dense(dim)])
    self.layer_conditions = dense(dim * cfg.motion.layers)
    self.motion_generator = Conformer(cfg.motion, self.dtype)
    self.motion_out = nn.Dense(
      cfg.motion_dim, kernel_init=nn.initializers.zeros, dtype=jnp.float32
    )
    small = nn.initializers.normal(0.02)
    self.null_speech = self.param('null_speech', small, (cfg.speech.dim,))
    self.null_emotion = self.param('null_emotion', small, (dim,))
    self.null_prefix = self.param('null_prefix', small, (dim,))
    self.prefix_mark = self.param('prefix_mark', small, (dim,))

  def encode_speech(
    self,
    states: jax.Array,
    frame_mask: jax.Array | None = None,
    train: bool = False,
  ) -> jax.Array:
    """The part that does not depend on the diffusion step.

    Args:
      states: [L + 1, B, 2T, E] of `Hubert`.
      frame_mask: [B, T] bool, False for padding.
      train: dropout on.

    Returns:
      [B, T, width of cfg.speech].
    """
    check_shape(states, 'L B S E')
    x = self.state_mix(states)
    return self.speech_encoder(x, frame_mask, train)

  def denoise(
    self,
    x_t: jax.Array,
    step: jax.Array,
    conditions: Conditions,
    drop_audio: jax.Array | None = None,
    drop_emotion: jax.Array | None = None,
    train: bool = False,
  ) -> jax.Array:
    """One evaluation.

    Args:
      x_t: [B, T, M] noisy motion.
      step: [B] diffusion step.
      conditions: see `Conditions`.
      drop_audio: [B] bool, True: as if there were no speech.
      drop_emotion: [B] bool, True: as if no emotion were given.
      train: dropout on; needs the RNG stream 'dropout'.

    Returns:
      [B, T, M] float32.
    """
    sizes = check_shape(x_t, 'B T M', M=self.cfg.motion_dim)
    check_shape(conditions.speech, 'B T E', B=sizes['B'], T=sizes['T'])
    check_shape(conditions.prefix, 'B P M', B=sizes['B'], M=sizes['M'])
    speech = conditions.speech
    if drop_audio is not None:
      speech = jnp.where(drop_audio[:, None, None], self.null_speech, speech)
    prefix = self.motion_in(conditions.prefix) + self.prefix_mark
    mask = conditions.prefix_mask
    prefix = jnp.where(mask[..., None], prefix, self.null_prefix)
    frames = self.motion_in(x_t) + self.speech_in(speech)
    x = jnp.concatenate([prefix.astype(frames.dtype), frames], 1)
    if conditions.frame_mask is not None:
      seen = jnp.ones_like(mask, bool)
      mask = jnp.concatenate([seen, conditions.frame_mask], 1)
    else:
      mask = None
    extra = self._layer_conditions(step, conditions, drop_emotion)
    x = self.motion_generator(x, mask, train, extra)
    return self.motion_out(x[:, prefix.shape[1] :].astype(jnp.float32))

  def __call__(
    self,
    x_t: jax.Array,
    step: jax.Array,
    speech_states: jax.Array,
    emotion: jax.Array,
    source_kp: jax.Array,
    prefix: jax.Array,
    prefix_mask: jax.Array,
    drop_audio: jax.Array | None = None,
    drop_emotion: jax.Array | None = None,
    train: bool = False,
    frame_mask: jax.Array | None = None,
  ) -> jax.Array:
    """`encode_speech` and `denoise` in one, for training."""
    speech = self.encode_speech(speech_states, frame_mask, train)
    conditions = Conditions(
      speech, emotion, source_kp, prefix, prefix_mask, frame_mask
    )
    return self.denoise(x_t, step, conditions, drop_audio, drop_emotion, train)

  def _layer_conditions(
    self,
    step: jax.Array,
    conditions: Conditions,
    drop_emotion: jax.Array | None,
  ) -> jax.Array:
    """Step, emotion and source as [L, B, E], one vector for every layer."""
    cfg = self.cfg.motion
    emotion = self.emotion_in(conditions.emotion)
    if drop_emotion is not None:
      emotion = jnp.where(drop_emotion[:, None], self.null_emotion, emotion)
    x = self.step_mlp(step_embedding(step, cfg.dim))
    x = x + emotion + self.source_in(conditions.source_kp)
    x = self.layer_conditions(nn.swish(x))
    return jnp.moveaxis(x.reshape(-1, cfg.layers, cfg.dim), 1, 0)
