"""Log-mel spectrum of 16 kHz sound: 25 ms windows every 10 ms."""

import jax
import jax.numpy as jnp
import numpy as np

WINDOW, HOP = 400, 160
_STEP = 80  # divides both
_RATE_HZ = 16_000
_LOW_HZ, _HIGH_HZ = 50.0, 7600.0
_FLOOR = 1e-2  # of the power, for sound of unit variance


def mel_filters(bands: int) -> np.ndarray:
  """Triangular filters on the HTK mel scale: float32 [201, bands]."""

  def mel(hz: np.ndarray) -> np.ndarray:
    return 2595 * np.log10(1 + hz / 700)

  low, high = mel(np.array([_LOW_HZ, _HIGH_HZ]))
  edges = 700 * (10 ** (np.linspace(low, high, bands + 2) / 2595) - 1)
  hz = np.linspace(0, _RATE_HZ / 2, WINDOW // 2 + 1)[:, None]
  rise = (hz - edges[:-2]) / (edges[1:-1] - edges[:-2])
  fall = (edges[2:] - hz) / (edges[2:] - edges[1:-1])
  return np.maximum(0, np.minimum(rise, fall)).astype(np.float32)


def log_mel(wave: jax.Array, bands: int) -> jax.Array:
  """Logarithm of the power in mel bands, roughly in [-1, 2].

  Args:
    wave: [B, S] float32 of about unit variance.
    bands: number of bands.

  Returns:
    [B, T, bands] float32 with T = (S - 400) // 160 + 1.
  """
  frames = (wave.shape[1] - WINDOW) // HOP + 1
  steps = wave[:, : wave.shape[1] // _STEP * _STEP]
  steps = steps.reshape(wave.shape[0], -1, _STEP)
  stride, last = HOP // _STEP, (frames - 1) * (HOP // _STEP) + 1
  windows = jnp.concatenate(
    [steps[:, i : i + last : stride] for i in range(WINDOW // _STEP)], -1
  )
  basis = (
    np.exp(-2j * np.pi / WINDOW * np.outer(np.arange(WINDOW), np.arange(201)))
    * np.hanning(WINDOW + 1)[:-1, None]
  )
  exact = jax.lax.Precision.HIGHEST
  real, imaginary = (
    jnp.matmul(windows, part.astype(np.float32), precision=exact)
    for part in (basis.real, basis.imag)
  )
  power = jnp.square(real) + jnp.square(imaginary)
  mel = jnp.matmul(power, mel_filters(bands), precision=exact)
  return 0.2 * jnp.log(mel + _FLOOR)
