"""How much later than the lips the sound of a clip comes.

In: landmarks and sound. Out: the lag at which what is heard goes best with
what is seen, and whether that is clear.

Measured on 93 clips by a probe fitted without the person it judges
(docs/training.md says how well it agrees with the lags in a table).
"""

from typing import NamedTuple

import numpy as np

from takin_jax.data.speech import lip_probe

MAX_LAG_MS = 400

# A correlation by chance falls with the length of the clip: of 1094 pairs of
# lips and somebody else's sound 3 % reach 1 / sqrt(seconds). Lips and sound
# that belong together reach it in 13 of 14 clips from 12 s on, and in half of
# those of 3 s.
_CHANCE = 1.0
_LEAST = 0.3
_MIN_STD = 1e-6


class Offset(NamedTuple):
  """An estimate.

  Attributes:
    lag_ms: positive where the sound comes too late; a multiple of 20.
    r: correlation of the lips and the probe at that lag.
    clear: whether that is hardly chance.
  """

  lag_ms: int
  r: float
  clear: bool


def estimate(
  landmarks: np.ndarray, found: np.ndarray, audio: np.ndarray
) -> Offset | None:
  """Estimates the lag of the sound, within 400 ms to either side.

  Args:
    landmarks: [T, 478, 3] at 25 fps; 1 s or more.
    found: bool [T], whether the frame shows a face; at least one does.
    audio: [S] float in [-1, 1], 16 kHz, from the first frame on.

  Returns:
    The estimate; None where nothing is heard or nothing moves.
  """
  seen = lip_probe.seen_lips(landmarks, found)
  heard = lip_probe.expected_lips(audio)
  length = min(len(seen), len(heard))
  seen, heard = seen[:length], heard[:length]
  reach = MAX_LAG_MS * lip_probe.RATE_HZ // 1000
  if length < 2 * reach or min(seen.std(), heard.std()) < _MIN_STD:
    return None
  lags = range(-reach, reach + 1)
  r = np.nan_to_num([_correlation(seen, heard, lag) for lag in lags])
  best = int(r.argmax())
  needed = max(_LEAST, _CHANCE / np.sqrt(length / lip_probe.RATE_HZ))
  return Offset(
    lag_ms=lags[best] * 1000 // lip_probe.RATE_HZ,
    r=round(float(r[best]), 3),
    clear=bool(r[best] >= needed),
  )


def _correlation(seen: np.ndarray, heard: np.ndarray, lag: int) -> float:
  """Of the parts that overlap when `heard` comes `lag` too late."""
  length = len(seen)
  a = seen[max(0, -lag) : length - max(0, lag)]
  b = heard[max(0, lag) : length - max(0, -lag)]
  deviations = a.std() * b.std()
  covariance = np.mean((a - a.mean()) * (b - b.mean()))
  return covariance / deviations if deviations else 0.0
