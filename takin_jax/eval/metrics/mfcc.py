"""Mel-frequency cepstral coefficients as SyncNet was trained on them.

Source: the defaults of the package `python_speech_features`, on samples of
16 bit range, which differ from `takin_jax.ops.mel` in every detail.
"""

import numpy as np
from scipy.fft import dct

from takin_jax.face import SAMPLE_RATE_HZ

_WINDOW, _HOP, _FFT = 400, 160, 512
_BANDS, _LIFTER, _EMPHASIS = 26, 22, 0.97
COEFFICIENTS = 13


def mfcc(sound: np.ndarray) -> np.ndarray:
  """13 coefficients every 10 ms; the first is the log energy.

  Args:
    sound: [S] float32 in [-1, 1] at 16 kHz.

  Returns:
    [T, 13], T = 1 + ceil((S - 400) / 160).
  """
  x = sound.astype(np.float64) * 32768
  x = np.append(x[:1], x[1:] - _EMPHASIS * x[:-1])
  count = 1 + max(0, -(-(len(x) - _WINDOW) // _HOP))
  x = np.pad(x, (0, max(0, (count - 1) * _HOP + _WINDOW - len(x))))
  windows = np.lib.stride_tricks.sliding_window_view(x, _WINDOW)[::_HOP]
  power = np.square(np.abs(np.fft.rfft(windows[:count], _FFT))) / _FFT
  tiny = np.finfo(float).eps
  energy = np.maximum(power.sum(-1), tiny)
  bands = np.log(np.maximum(power @ _filters(), tiny))
  out = dct(bands, type=2, norm='ortho')[:, :COEFFICIENTS]
  n = np.arange(COEFFICIENTS)
  out *= 1 + _LIFTER / 2 * np.sin(np.pi * n / _LIFTER)
  out[:, 0] = np.log(energy)
  return out


def _filters() -> np.ndarray:
  """[257, 26] triangles between bins of the spectrum."""
  top = 2595 * np.log10(1 + SAMPLE_RATE_HZ / 2 / 700)
  hz = 700 * (10 ** (np.linspace(0, top, _BANDS + 2) / 2595) - 1)
  edges = np.floor((_FFT + 1) * hz / SAMPLE_RATE_HZ)
  bins = np.arange(_FFT // 2 + 1)[:, None]
  low, middle, high = edges[:-2], edges[1:-1], edges[2:]
  rise = (bins - low) / (middle - low)
  fall = (high - bins) / (high - middle)
  return np.where(bins < middle, rise, fall).clip(0)
