"""Several channels -> the one that the models hear, at the level of the voice.

A plain mean makes a voice on one side 6 dB softer, one in the centre of 5.1
channels 16 dB, and a pair with one side inverted silent.
"""

import numpy as np

# A mean with less of the loudest channel's power loses the voice; both sides
# of ordinary stereo, even unrelated ones, keep half.
_LEAST_POWER = 0.4
_LFE = 'LFE'


def mix_weights(sound: np.ndarray, names: list[str]) -> np.ndarray:
  """Weights of the channels, from a stretch of the sound.

  Args:
    sound: [S, C] float32; the longer, the better.
    names: of the C channels, as FFmpeg has them; may be empty.

  Returns:
    [C] float32: those of the mean, unless it loses the voice. Then channels
    that oppose the loudest one are inverted, and the sum has its level.
  """
  count = sound.shape[1]
  heard = np.array([name != _LFE for name in names] or [True] * count, float)
  covariance = np.cov(sound.T.astype(np.float64), bias=True).reshape(
    count, count
  )
  power = np.diag(covariance) * heard
  loudest = int(np.argmax(power))
  mean = heard / max(heard.sum(), 1)
  if mean @ covariance @ mean >= _LEAST_POWER * power[loudest]:
    return mean.astype(np.float32)
  signs = np.where(covariance[loudest] < -0.1 * power, -1.0, 1.0) * heard
  total = signs @ covariance @ signs
  gain = np.sqrt(power[loudest] / max(total, power[loudest]))
  return (gain * signs).astype(np.float32)
