"""Noise schedules, and the conversions between what a network may predict.

x_t = sqrt(a) x_0 + sqrt(1 - a) eps with a = alphas_cumprod[t]; always float32.
Source: DDPM (arXiv 2006.11239), improved DDPM (arXiv 2102.09672) for the cosine
schedule, progressive distillation (arXiv 2202.00512) for v.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.config import check_range

SCHEDULES = ('linear', 'scaled_linear', 'cosine')
PREDICTIONS = ('eps', 'x0', 'v')
SPACINGS = ('leading', 'trailing', 'linspace')


@dataclasses.dataclass(frozen=True)
class DiffusionConfig:
  """The diffusion process and how it is sampled.

  Attributes:
    steps: T, steps of the forward process.
    schedule: 'cosine', 'linear' or 'scaled_linear'.
    beta_start: first beta of the linear schedules.
    beta_end: last beta of the linear schedules.
    prediction: what the network gives: 'eps' (the paper), 'x0' or 'v'.
    sample_steps: DDIM steps.
    spacing: which of the T steps DDIM visits.
    clip: x_0 is held in [-clip, clip] (in normalised motion); 0: not.
    recompute_eps: take the noise from the clipped x_0.
    eta: 0: deterministic; 1: as much noise as DDPM.
    guidance_audio: strength of the speech; 1: as trained.
    guidance_emotion: strength of the emotion; 1: as trained.
    lip_noise: size of the first noise in the lips' numbers; below 1 the lips
      follow the speech more closely and vary less.
    articulation_gain: of what the linear map reads from the speech, if there
      is one: it is what the speech explains, and faces move more than that.
    head_noise_frames: deviation of a Gaussian that correlates the first noise
      of scale, translation and pose in time, in frames; 0: not. Of noise that
      changes with every frame the head only shakes.
    smooth_frames: deviation of a Gaussian that smooths the expression over
      time, in frames; 0: not.
    smooth_head_frames: the same of scale, translation and pose.
    window: motion frames generated at a time.
    prefix: frames of motion before the window that the network sees.
  """

  steps: int = 1000
  schedule: str = 'cosine'
  beta_start: float = 1e-4
  beta_end: float = 0.02
  prediction: str = 'eps'
  sample_steps: int = 10
  spacing: str = 'trailing'
  clip: float = 0.0
  recompute_eps: bool = True
  eta: float = 0.0
  guidance_audio: float = 1.5
  guidance_emotion: float = 1.0
  lip_noise: float = 1.0
  articulation_gain: float = 1.0
  head_noise_frames: float = 0.0
  smooth_frames: float = 0.0
  smooth_head_frames: float = 0.0
  window: int = 125
  prefix: int = 10

  def __post_init__(self):
    for name, known in (
      ('schedule', SCHEDULES),
      ('prediction', PREDICTIONS),
      ('spacing', SPACINGS),
    ):
      if getattr(self, name) not in known:
        raise ValueError(
          f'{name} is one of {", ".join(known)}; not {getattr(self, name)!r}.'
        )
    for low, high, *names in (
      (1, 10**6, 'steps', 'sample_steps'),
      (1, 10_000, 'window'),
      (0, 10_000, 'prefix'),
      (0, 1, 'beta_start', 'beta_end', 'eta'),
      (0, 1000, 'clip', 'lip_noise', 'smooth_frames', 'smooth_head_frames'),
      (-1000, 1000, 'guidance_audio', 'guidance_emotion'),
    ):
      check_range(self, low, high, *names, where='diffusion.')


def alphas_cumprod(cfg: DiffusionConfig) -> np.ndarray:
  """The share of signal power left after each step: float32 [T]."""
  if cfg.schedule == 'linear':
    betas = np.linspace(cfg.beta_start, cfg.beta_end, cfg.steps)
  elif cfg.schedule == 'scaled_linear':
    roots = np.linspace(cfg.beta_start**0.5, cfg.beta_end**0.5, cfg.steps)
    betas = roots**2
  else:
    at = np.arange(cfg.steps + 1) / cfg.steps
    level = np.cos((at + 0.008) / 1.008 * np.pi / 2) ** 2
    betas = np.minimum(1 - level[1:] / level[:-1], 0.999)
  # In float32 from here on, as diffusers has it: at t = T - 1 of the cosine
  # schedule a rounding of 1e-5 shows.
  return np.cumprod(np.float32(1) - betas.astype(np.float32))


def timesteps(
  steps: int, sample_steps: int, spacing: str
) -> tuple[np.ndarray, np.ndarray]:
  """The steps that DDIM visits, as diffusers chooses them.

  Args:
    steps: T of the forward process.
    sample_steps: how many to visit.
    spacing: 'leading' begins early and ends at 0; 'trailing' begins at T - 1
      and ends early (better for few steps); 'linspace' has both ends.

  Returns:
    The steps, descending, and for each the step it leads to (< 0: the end).

  Raises:
    ValueError: for more steps than there are.
  """
  if not 1 <= sample_steps <= steps:
    raise ValueError(f'{sample_steps} steps of {steps} cannot be taken.')
  if spacing == 'leading':
    at = np.arange(sample_steps)[::-1] * (steps // sample_steps)
  elif spacing == 'trailing':
    at = np.round(np.arange(steps, 0, -steps / sample_steps)) - 1
  else:
    at = np.linspace(0, steps - 1, sample_steps).round()[::-1]
  at = at.astype(np.int32)[:sample_steps]
  return at, at - steps // sample_steps


def add_noise(x0: jax.Array, noise: jax.Array, alpha: jax.Array) -> jax.Array:
  """A sample of q(x_t | x_0).

  Args:
    x0: [B, ...] clean data.
    noise: [B, ...] standard normal.
    alpha: [B] or [], alphas_cumprod of the step.

  Returns:
    [B, ...] x_t.
  """
  alpha = _like(alpha, x0)
  return jnp.sqrt(alpha) * x0 + jnp.sqrt(1 - alpha) * noise


def training_target(
  x0: jax.Array, noise: jax.Array, alpha: jax.Array, prediction: str
) -> jax.Array:
  """What the network shall give: the noise, x_0 or v; see `add_noise`."""
  if prediction == 'eps':
    return noise
  if prediction == 'x0':
    return x0
  alpha = _like(alpha, x0)
  return jnp.sqrt(alpha) * noise - jnp.sqrt(1 - alpha) * x0


def to_x0_eps(
  output: jax.Array, x_t: jax.Array, alpha: jax.Array, prediction: str
) -> tuple[jax.Array, jax.Array]:
  """The network's output as clean data and noise.

  Args:
    output: [B, ...] what the network gave.
    x_t: [B, ...] what it was given.
    alpha: [B] or [], alphas_cumprod of the step.
    prediction: 'eps', 'x0' or 'v'.

  Returns:
    x_0 and eps, [B, ...] each.
  """
  alpha = _like(alpha, x_t)
  signal, noise = jnp.sqrt(alpha), jnp.sqrt(1 - alpha)
  if prediction == 'eps':
    return (x_t - noise * output) / signal, output
  if prediction == 'x0':
    return output, (x_t - signal * output) / noise
  return signal * x_t - noise * output, signal * output + noise * x_t


def _like(alpha: jax.Array, x: jax.Array) -> jax.Array:
  """[B] or [] -> broadcasts over the trailing axes of x."""
  alpha = jnp.asarray(alpha)
  return alpha.reshape(alpha.shape + (1,) * (x.ndim - alpha.ndim))
