"""The loss of stage 2: noise the motion, denoise it, compare.

Source: Takin-ADA (arXiv 2410.14283), eq. 3, with the terms of
`takin_jax/losses/denoise.py`. Everything random is an input, but for dropout.
"""

import torch
from torch import Tensor, nn

from benchmarks.torch_reference.denoiser import Denoiser
from takin_jax import face
from takin_jax.diffusion.schedule import DiffusionConfig
from takin_jax.losses.denoise import DenoiseLossConfig

# The inputs after the states, in order: what `noisy_rows` makes.
ROWS = (
  'motion',
  'noise',
  'step',
  'alpha',
  'frame_mask',
  'emotion',
  'source_kp',
  'prefix',
  'prefix_mask',
  'drop_audio',
  'drop_emotion',
)


class AudioLoss(nn.Module):
  """Speech states and noisy rows -> loss [].

  Args:
    denoiser: the network.
    diffusion: what it predicts.
    cfg: weights of the terms.
    repeats: rows per window.
    power: [M] what a unit of each number is worth; None: all the same.
  """

  def __init__(
    self,
    denoiser: Denoiser,
    diffusion: DiffusionConfig,
    cfg: DenoiseLossConfig,
    repeats: int,
    power: Tensor | None = None,
  ):
    super().__init__()
    self.denoiser = denoiser
    self.prediction, self.cfg, self.repeats = diffusion.prediction, cfg, repeats
    weights = torch.ones(denoiser.cfg.motion_dim)
    weights[face.LIPS], weights[face.HEAD] = cfg.lips, cfg.pose
    if power is not None:
      weights = weights * power
    self.register_buffer('weights', weights / weights.mean())

  def forward(self, states: Tensor, *rows: Tensor) -> Tensor:
    """Args: [B, L + 1, 2T, E] states in half precision, and `ROWS`."""
    x0, noise, step, alpha, mask, *conditions, drop_audio, drop_emotion = rows
    states = states.transpose(0, 1).float()
    speech = self.denoiser.encode_speech(states, mask[:: self.repeats])
    alpha = alpha[:, None, None]
    signal, rest = alpha.sqrt(), (1 - alpha).sqrt()
    x_t = signal * x0 + rest * noise
    output = self.denoiser.denoise(
      x_t,
      step,
      speech.repeat_interleave(self.repeats, 0),
      tuple(conditions),
      drop_audio,
      drop_emotion,
      mask,
    )
    targets = {'eps': noise, 'x0': x0, 'v': signal * noise - rest * x0}
    error = (output - targets[self.prediction]).square() * self.weights
    loss = masked_mean(error, mask)
    if not (self.cfg.velocity or self.cfg.smooth):
      return loss
    if self.prediction == 'v':
      output = signal * x_t - rest * output
    elif self.prediction == 'eps':
      output = (x_t - rest * output) / signal
    scale = alpha * self.weights
    for weight, motion, order in (
      (self.cfg.velocity, output - x0, 1),
      (self.cfg.smooth, output, 2),
    ):
      if weight:
        change = scale * motion.diff(order, dim=1).square()
        seen = mask.unfold(1, order + 1, 1).all(-1)
        loss = loss + weight * masked_mean(change, seen)
    return loss


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
  """Mean of x [B, T, M] over the frames of mask [B, T]."""
  kept = mask[..., None].to(x.dtype)
  return (x * kept).sum() / (kept.sum() * x.shape[-1]).clamp(min=1.0)
