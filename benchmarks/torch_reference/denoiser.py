"""Denoiser and DDIM: speech states and noise -> motion.

Source: Takin-ADA (arXiv 2410.14283), section 3.2, as `takin_jax` builds it:
earlier motion as a prefix in time, step, emotion and portrait added before
every layer; DDIM (arXiv 2010.02502) under classifier-free guidance (arXiv
2207.12598). Layers have the names of our Flax modules.
"""

from collections.abc import Callable
import dataclasses
import math

import numpy as np
import torch
from torch import Tensor, nn
import torch.nn.functional as F

from benchmarks.torch_reference.conformer import Conformer
from takin_jax import face
from takin_jax.diffusion.schedule import (
  DiffusionConfig,
  alphas_cumprod,
  timesteps,
)
from takin_jax.models.denoiser import DenoiserConfig


@dataclasses.dataclass(frozen=True)
class Conditions:
  """What the motion depends on; the fields of our `Conditions`.

  Attributes:
    emotion: [B, C].
    source_kp: [B, C].
    prefix: [B, P, M].
    prefix_mask: [B, P] bool.
  """

  emotion: Tensor
  source_kp: Tensor
  prefix: Tensor
  prefix_mask: Tensor

  def tensors(self) -> tuple[Tensor, ...]:
    return self.emotion, self.source_kp, self.prefix, self.prefix_mask


class StateMix(nn.Module):
  """Learned average of the speech encoder's layers, and 50 -> 25 Hz."""

  def __init__(self, states: int, inputs: int, dim: int):
    super().__init__()
    self.logits = nn.Parameter(torch.zeros(states))
    self.downsample = nn.Conv1d(inputs, dim, 3, 2, 1)

  def forward(self, states: Tensor) -> Tensor:
    """[L + 1, B, 2T, E] -> [B, T, dim]."""
    weights = self.logits.softmax(0).to(states.dtype)
    mixed = torch.tensordot(weights, states, 1)
    mixed = mixed.to(self.downsample.weight.dtype)
    return self.downsample(mixed.transpose(1, 2)).transpose(1, 2)


class Denoiser(nn.Module):
  """Speech Conformer and motion Conformer.

  Args:
    cfg: sizes.
    states: hidden states of the speech encoder, and their width.
    condition_dim: width of the emotion and of the portrait's keypoints.
  """

  def __init__(
    self, cfg: DenoiserConfig, states: tuple[int, int], condition_dim: int
  ):
    super().__init__()
    self.cfg, dim = cfg, cfg.motion.dim
    self.state_mix = StateMix(*states, cfg.speech.dim)
    self.speech_encoder = Conformer(cfg.speech)
    self.motion_in = nn.Linear(cfg.motion_dim, dim)
    self.speech_in = nn.Linear(cfg.speech.dim, dim)
    self.emotion_in = nn.Linear(condition_dim, dim)
    self.source_in = nn.Linear(condition_dim, dim)
    self.step_mlp = nn.Sequential(
      nn.Linear(dim, dim), nn.SiLU(), nn.Linear(dim, dim)
    )
    self.layer_conditions = nn.Linear(dim, dim * cfg.motion.layers)
    self.motion_generator = Conformer(cfg.motion)
    self.motion_out = nn.Linear(dim, cfg.motion_dim)
    self.null_speech = nn.Parameter(torch.zeros(cfg.speech.dim))
    for name in ('null_emotion', 'null_prefix', 'prefix_mark'):
      setattr(self, name, nn.Parameter(torch.zeros(dim)))

  def encode_speech(
    self, states: Tensor, frame_mask: Tensor | None = None
  ) -> Tensor:
    """[L + 1, B, 2T, E] -> [B, T, width of cfg.speech]."""
    return self.speech_encoder(self.state_mix(states), mask=frame_mask)

  def denoise(
    self,
    x_t: Tensor,
    step: Tensor,
    speech: Tensor,
    conditions: tuple[Tensor, ...],
    drop_audio: Tensor,
    drop_emotion: Tensor,
    frame_mask: Tensor | None = None,
  ) -> Tensor:
    """One evaluation, see `takin_jax.models.denoiser`: [B, T, M] float32."""
    dtype = self.motion_in.weight.dtype
    emotion, source_kp, prefix, prefix_mask = conditions
    speech = torch.where(drop_audio[:, None, None], self.null_speech, speech)
    prefix = self.motion_in(prefix.to(dtype)) + self.prefix_mark
    prefix = torch.where(prefix_mask[..., None], prefix, self.null_prefix)
    frames = self.motion_in(x_t.to(dtype)) + self.speech_in(speech)
    emotion = self.emotion_in(emotion.to(dtype))
    emotion = torch.where(drop_emotion[:, None], self.null_emotion, emotion)
    z = self.step_mlp(step_embedding(step, emotion.shape[-1]).to(dtype))
    z = F.silu(z + emotion + self.source_in(source_kp.to(dtype)))
    extra = self.layer_conditions(z).unflatten(1, (self.cfg.motion.layers, -1))
    x = torch.cat([prefix, frames], 1)
    if frame_mask is not None:
      frame_mask = F.pad(frame_mask, (prefix.shape[1], 0), value=True)
    x = self.motion_generator(x, extra.transpose(0, 1), frame_mask)
    return self.motion_out(x[:, prefix.shape[1] :]).float()


def step_embedding(step: Tensor, dim: int) -> Tensor:
  """Sinusoids of the diffusion step: [B] -> [B, E] float32."""
  at = torch.arange(dim // 2, device=step.device) / (dim // 2)
  angle = step.float()[:, None] * torch.exp(-math.log(10_000.0) * at)
  return torch.cat([angle.cos(), angle.sin()], -1)


def sample_motion(
  encode: Callable[..., Tensor],
  denoise: Callable[..., Tensor],
  states: Tensor,
  conditions: Conditions,
  noise: Tensor,
  cfg: DiffusionConfig,
) -> Tensor:
  """Guided DDIM over a batch of windows, the emotion as given.

  Args:
    encode: `Denoiser.encode_speech`, perhaps compiled.
    denoise: `Denoiser.denoise`, perhaps compiled.
    states: [L + 1, B, 2T, E] of the speech encoder.
    conditions: see `Conditions`.
    noise: [B, T, M] to begin with.
    cfg: steps and strengths of guidance; deterministic ones (eta 0).

  Returns:
    [B, T, M] normalised motion.
  """
  cases = [(False, False)]  # (drop audio, drop emotion)
  if cfg.guidance_audio != 1.0 or cfg.guidance_emotion != 1.0:
    cases.append((True, False))
  if cfg.guidance_emotion != 1.0:
    cases.append((True, True))
  n, batch = len(cases), noise.shape[0]
  drops = torch.tensor(cases, device=noise.device)
  drops = drops.repeat_interleave(batch, 0).unbind(1)
  given = tuple(torch.cat([x] * n) for x in conditions.tensors())
  speech = torch.cat([encode(states)] * n)
  alphas = alphas_cumprod(cfg)
  x = noise
  for t, to in zip(
    *timesteps(cfg.steps, cfg.sample_steps, cfg.spacing), strict=True
  ):
    step = torch.full((n * batch,), int(t), device=noise.device)
    outputs = denoise(torch.cat([x] * n), step, speech, given, *drops)
    output = _guide(outputs.chunk(n), cfg)
    a, a_to = float(alphas[t]), float(alphas[to]) if to >= 0 else 1.0
    x = _ddim_step(x, output, a, a_to, cfg)
  return _smoothed(x, conditions, cfg)


def _smoothed(
  x: Tensor, conditions: Conditions, cfg: DiffusionConfig
) -> Tensor:
  """[B, T, M] over time, face and head each by its own."""
  known = conditions.prefix_mask[..., None]
  parts = [
    _smooth(x[part], conditions.prefix[part], known, deviation)
    for part, deviation in (
      (np.s_[..., face.EXP], cfg.smooth_frames),
      (np.s_[..., face.HEAD], cfg.smooth_head_frames),
    )
  ]
  return torch.cat(parts, -1)


def _guide(outputs: tuple[Tensor, ...], cfg: DiffusionConfig) -> Tensor:
  both, only_emotion = outputs[0], outputs[min(1, len(outputs) - 1)]
  neither = outputs[-1]
  towards_emotion = cfg.guidance_emotion * (only_emotion - neither)
  return neither + towards_emotion + cfg.guidance_audio * (both - only_emotion)


def _ddim_step(
  x: Tensor, output: Tensor, a: float, a_to: float, cfg: DiffusionConfig
) -> Tensor:
  """From signal share a to a_to."""
  signal, noise = a**0.5, (1 - a) ** 0.5
  if cfg.prediction == 'eps':
    x0, eps = (x - noise * output) / signal, output
  elif cfg.prediction == 'x0':
    x0, eps = output, (x - signal * output) / noise
  else:
    x0, eps = signal * x - noise * output, signal * output + noise * x
  if cfg.clip:
    x0 = x0.clamp(-cfg.clip, cfg.clip)
    if cfg.recompute_eps:
      eps = (x - signal * x0) / noise
  return a_to**0.5 * x0 + (1 - a_to) ** 0.5 * eps


def _smooth(
  x: Tensor, prefix: Tensor, known: Tensor, deviation: float
) -> Tensor:
  """Gaussian over time that starts in the frames before the window."""
  if not deviation:
    return x
  radius = min(math.ceil(3 * deviation), prefix.shape[1])
  before = torch.where(known, prefix, x[:, :1])[:, prefix.shape[1] - radius :]
  padded = torch.cat([before, x, x[:, -1:].expand(-1, radius, -1)], 1)
  offsets = torch.arange(-radius, radius + 1, device=x.device)
  kernel = torch.exp(-0.5 * (offsets / deviation).square())
  kernel = (kernel / kernel.sum()).expand(x.shape[-1], 1, -1)
  out = F.conv1d(padded.mT, kernel, groups=x.shape[-1])
  return out.mT
