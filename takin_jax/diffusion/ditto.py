"""Ditto's sampler: DDIM with eta 1, clean motion predicted.

Source: DDIM (arXiv 2010.02502), Ditto's public code. The noises of the steps
are drawn once and serve every window.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

STEPS = 1000  # of the forward process
# (noisy motion [B, T, M], step []) -> clean motion with and without conditions.
Denoise = Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]


def alphas_cumprod(offset: float = 0.008) -> np.ndarray:
  """The cosine schedule with clipped betas: float32 [1000].

  Rounded as in the public code, since its first steps feel that.
  """
  time = np.arange(STEPS + 1) / STEPS
  bars = np.cos((time + offset) / (1 + offset) * np.pi / 2) ** 2
  betas = np.clip(1 - bars[1:] / bars[:-1], 0, 0.999).astype(np.float32)
  return np.cumprod(np.float32(1) - betas, dtype=np.float64).astype(np.float32)


def visited(count: int) -> np.ndarray:
  """Steps that are visited, from the noisiest on, and -1: [count + 1]."""
  return np.linspace(-1, STEPS - 1, count + 1).astype(np.int32)[::-1]


def noise_factors(alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Of x and of clean motion in the noise, from float32 alphas."""
  inverse = np.float32(1) / alpha
  rest = np.sqrt(inverse - np.float32(1))
  return np.sqrt(inverse) / rest, np.float32(1) / rest


def sample(
  denoise: Denoise,
  first: jax.Array,
  noise: jax.Array,
  guidance: float | jax.Array = 2.0,
  eta: float = 1.0,
) -> jax.Array:
  """One window of motion.

  Args:
    denoise: the network with its conditions.
    first: [B, T, M] normal, where sampling starts.
    noise: [S - 1, B, T, M] normal, of all steps but the last.
    guidance: strength of the conditions; 1: as trained.
    eta: 0: deterministic; 1: as much noise as DDPM.

  Returns:
    [B, T, M] float32.
  """
  steps = visited(noise.shape[0] + 1)
  bars = alphas_cumprod()
  alpha, factors = bars[steps[:-1]], noise_factors(bars[steps[:-1]])
  alpha, bars = alpha.astype(np.float64), bars.astype(np.float64)
  # The last step goes to clean motion.
  following = np.where(steps[1:] < 0, 1.0, bars[steps[1:]])
  sigma = eta * np.sqrt((1 - alpha / following) * (1 - following) / (1 - alpha))
  # Rounding may take what is left below 0.
  rest = np.sqrt(np.maximum(1 - following - sigma**2, 0.0))

  def one(x: jax.Array, xs: tuple[jax.Array, ...]) -> tuple[jax.Array, None]:
    step, noisy, clean, root, rest, sigma, noise = xs
    heard, unheard = denoise(x, step)
    x0 = unheard + guidance * (heard - unheard)
    eps = noisy * x - clean * x0
    return root * x0 + rest * eps + sigma * noise, None

  columns = (*factors, np.sqrt(following), rest, sigma)
  xs = (
    jnp.asarray(steps[:-1]),
    *(jnp.asarray(column, jnp.float32) for column in columns),
    jnp.concatenate([noise, jnp.zeros_like(first)[None]]),
  )
  return jax.lax.scan(one, first, xs)[0]
