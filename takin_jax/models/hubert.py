"""HuBERT: 16 kHz sound -> hidden states at 50 Hz, one per layer.

Source: HuBERT (arXiv 2106.07447), the architecture of the public checkpoints,
large (layer norms, pre-norm) and base (group norm, post-norm). The last state
is taken after the final layer norm, as transformers 4 does. Not here: masked
pre-training (mask embedding) and layer drop. Ours: a spectrum as input, an
option for small encoders.
"""

import dataclasses

from flax import linen as nn
import jax
import jax.numpy as jnp

from takin_jax.config import check_range
from takin_jax.nn import hubert_layers as layers
from takin_jax.nn.dropout import Dropout
from takin_jax.ops import mel
from takin_jax.shapes import check_shape

Dtype = jnp.dtype

RECEPTIVE_SAMPLES = 400  # of one frame of the published models


@dataclasses.dataclass(frozen=True)
class HubertConfig:
  """Sizes of HuBERT; the defaults are hubert-large.

  Attributes:
    conv_dims: channels of the front end.
    conv_kernels: its kernel sizes.
    conv_strides: its strides.
    conv_bias: its convolutions have a bias.
    conv_norm: 'layer' (large) or 'group' (base).
    dim: E, width of the hidden states.
    layers: L, transformer layers.
    heads: attention heads.
    ffn_dim: inner width of the feed-forward parts.
    norm_first: pre-norm (large) or post-norm (base) layers.
    pos_kernel: taps of the positional convolution.
    pos_groups: its groups.
    dropout: in training.
    norm_eps: of all norms.
    mel_bands: the front end reads a log-mel spectrum at 100 Hz with so many
      bands; 0: the samples, as published. A small encoder learns several
      times faster from a spectrum.
    normalize: bring the sound to zero mean and unit variance first.
  """

  conv_dims: tuple[int, ...] = (512,) * 7
  conv_kernels: tuple[int, ...] = (10, 3, 3, 3, 3, 2, 2)
  conv_strides: tuple[int, ...] = (5, 2, 2, 2, 2, 2, 2)
  conv_bias: bool = True
  conv_norm: str = 'layer'
  dim: int = 1024
  layers: int = 24
  heads: int = 16
  ffn_dim: int = 4096
  norm_first: bool = True
  pos_kernel: int = 128
  pos_groups: int = 16
  dropout: float = 0.1
  norm_eps: float = 1e-5
  mel_bands: int = 0
  normalize: bool = True

  def __post_init__(self):
    if self.conv_norm not in ('layer', 'group'):
      raise ValueError(
        f"conv_norm is 'layer' or 'group', not {self.conv_norm!r}."
      )
    check_range(
      *(self, 1, 100_000),
      *('conv_dims', 'conv_kernels', 'conv_strides', 'dim', 'heads'),
      *('ffn_dim', 'pos_kernel', 'pos_groups'),
    )
    check_range(self, 0, 1000, 'layers', 'mel_bands')
    check_range(self, 0, 1, 'dropout', 'norm_eps')
    lists = (self.conv_dims, self.conv_kernels, self.conv_strides)
    if len({len(x) for x in lists}) > 1 or not self.conv_dims:
      raise ValueError(
        'conv_dims, conv_kernels and conv_strides are lists of one length, '
        f'not of {", ".join(str(len(x)) for x in lists)}.'
      )
    for name in ('heads', 'pos_groups'):
      if self.dim % getattr(self, name):
        raise ValueError(
          f'dim {self.dim} is not a multiple of {name} {getattr(self, name)}.'
        )

  @property
  def windows(self) -> tuple[tuple[int, int], ...]:
    """(kernel, stride) of everything between samples and frames."""
    convs = tuple(zip(self.conv_kernels, self.conv_strides, strict=True))
    return ((mel.WINDOW, mel.HOP), *convs) if self.mel_bands else convs

  @property
  def padding(self) -> int:
    """Samples of silence on both sides that let frames lie as in HuBERT."""
    reach, hop = 1, 1
    for kernel, stride in self.windows:
      reach, hop = reach + (kernel - 1) * hop, hop * stride
    return max(reach - RECEPTIVE_SAMPLES, 0) // 2 if self.mel_bands else 0

  def frame_count(self, samples: int | jax.Array) -> int | jax.Array:
    """Frames made of `samples` samples: 16,000 -> 49; 80,080 -> 250."""
    samples = samples + 2 * self.padding
    for kernel, stride in self.windows:
      samples = (samples - kernel) // stride + 1
    return samples


def normalize_wave(wave: jax.Array, mask: jax.Array | None = None) -> jax.Array:
  """Zero mean and unit variance per utterance; padding becomes zero.

  Args:
    wave: [B, S] sound.
    mask: [B, S] True where there is sound; None: everywhere.

  Returns:
    [B, S] float32.
  """
  wave = wave.astype(jnp.float32)
  where = jnp.ones_like(wave, bool) if mask is None else mask
  mean = wave.mean(-1, keepdims=True, where=where)
  var = jnp.square(wave - mean).mean(-1, keepdims=True, where=where)
  return jnp.where(where, (wave - mean) * jax.lax.rsqrt(var + 1e-7), 0.0)


class Hubert(nn.Module):
  """The speech encoder.

  Attributes:
    cfg: sizes.
    dtype: compute type; norms, softmax and the states are float32.
    raw_last: leave the final layer norm out of the last state of a pre-norm
      model (what transformers 5 returns).
  """

  cfg: HubertConfig
  dtype: Dtype = jnp.float32
  raw_last: bool = False

  @nn.compact
  def __call__(
    self, wave: jax.Array, mask: jax.Array | None = None, train: bool = False
  ) -> jax.Array:
    """Encodes sound.

    Args:
      wave: [B, S] 16 kHz sound in [-1, 1].
      mask: [B, S] bool, True where there is sound, padding at the end.
      train: dropout on; needs the RNG stream 'dropout'.

    Returns:
      [L + 1, B, T, E] float32: what enters the first layer, then the output
      of every layer.
    """
    cfg = self.cfg
    check_shape(wave, 'B S')
    if cfg.normalize:
      wave = normalize_wave(wave, mask)
    sound = wave[..., None]
    if cfg.mel_bands:
      wave = jnp.pad(wave, ((0, 0), (cfg.padding, cfg.padding)))
      sound = mel.log_mel(wave, cfg.mel_bands)
    x = layers.FeatureExtractor(
      cfg.conv_dims,
      cfg.conv_kernels,
      cfg.conv_strides,
      cfg.conv_norm,
      cfg.conv_bias,
      cfg.norm_eps,
      self.dtype,
      name='feature_extractor',
    )(sound)
    x = layers.layer_norm(cfg.norm_eps, 'projection_norm')(x)
    x = nn.Dense(cfg.dim, dtype=self.dtype, name='projection')(x)
    frames = None
    if mask is not None:
      count = cfg.frame_count(mask.sum(-1, keepdims=True))
      frames = jnp.arange(x.shape[1]) < count
      x = jnp.where(frames[..., None], x, 0)
    x = x + layers.PositionalConv(
      cfg.pos_kernel, cfg.pos_groups, self.dtype, name='pos_conv'
    )(x)
    return self._transformer(x, frames, train)

  def _transformer(
    self, x: jax.Array, frames: jax.Array | None, train: bool
  ) -> jax.Array:
    """[B, T, E] -> all hidden states [L + 1, B, T, E]."""
    cfg = self.cfg
    norm = layers.layer_norm(cfg.norm_eps, 'layer_norm')
    if not cfg.norm_first:
      x = norm(x).astype(self.dtype)
    x = Dropout(cfg.dropout, deterministic=not train)(x)
    states = [x]
    for i in range(cfg.layers):
      x = layers.TransformerLayer(
        cfg.heads,
        cfg.ffn_dim,
        cfg.norm_first,
        cfg.dropout,
        cfg.norm_eps,
        self.dtype,
        name=f'layer_{i}',
      )(x, frames, train)
      states.append(x)
    if cfg.norm_first and not self.raw_last:
      states[-1] = norm(x)
    return jnp.stack([state.astype(jnp.float32) for state in states])
