"""JoyVASA's sampler: every ancestral step of DDPM, clean motion predicted.

Source: DDPM (arXiv 2006.11239), JoyVASA's public code. All windows of a speech
start from the same noise.
"""

from collections.abc import Callable
import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

# (noisy motion [B, T, M], step []) -> clean motion with and without speech.
Denoise = Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]


@dataclasses.dataclass(frozen=True)
class Schedule:
  """Numbers of every step, [N + 1], where step 0 is clean motion.

  Attributes:
    alpha_bars: share of signal power.
    keep: factor of the noisy motion in the next mean.
    clean: factor of the predicted one.
    sigmas: deviation of the next step's noise.
  """

  alpha_bars: np.ndarray
  keep: np.ndarray
  clean: np.ndarray
  sigmas: np.ndarray


def schedule(steps: int, offset: float = 0.008) -> Schedule:
  """The cosine schedule with clipped betas."""
  time = np.arange(steps + 1) / steps
  bars = np.cos((time + offset) / (1 + offset) * np.pi / 2) ** 2
  betas = np.clip(1 - bars[1:] / bars[:-1], 1e-4, 0.999)
  betas = np.concatenate([[0.0], betas])
  bars = np.cumprod(1 - betas)
  before = np.concatenate([[1.0], bars[:-1]])
  rest = np.maximum(1 - bars, 1e-20)  # of step 0, which is never taken
  return Schedule(
    alpha_bars=bars,
    keep=(1 - before) * np.sqrt(1 - betas) / rest,
    clean=betas * np.sqrt(before) / rest,
    sigmas=np.sqrt((1 - before) / rest * betas),
  )


def sample(
  denoise: Denoise,
  first: jax.Array,
  noise: jax.Array,
  steps: int,
  guidance: float | jax.Array,
) -> jax.Array:
  """One window of motion.

  Args:
    denoise: the network with its conditions.
    first: [B, T, M] x_T, normal.
    noise: [N - 1, B, T, M] normal, of steps N to 2.
    steps: N.
    guidance: strength of the speech; 1: as trained.

  Returns:
    [B, T, M] float32, normalised as in training.
  """
  numbers = schedule(steps)

  def one(x: jax.Array, xs: tuple[jax.Array, ...]) -> tuple[jax.Array, None]:
    step, keep, clean, sigma, noise = xs
    heard, unheard = denoise(x, step)
    x0 = unheard + guidance * (heard - unheard)
    return keep * x + clean * x0 + sigma * noise, None

  order = np.arange(steps, 0, -1)
  columns = (numbers.keep, numbers.clean, numbers.sigmas)
  last = jnp.zeros_like(first)[None]
  xs = (
    jnp.asarray(order, jnp.int32),
    *(jnp.asarray(column[order], jnp.float32) for column in columns),
    jnp.concatenate([noise, last]),
  )
  return jax.lax.scan(one, first, xs)[0]
