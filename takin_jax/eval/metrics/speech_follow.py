"""How a face that speaks agrees with the real one: curves of several clips.

In: readings of real and made frames of the same clips. Out: figures at lag 0,
at the best constant lag, and spreads.
"""

from collections.abc import Sequence

import numpy as np

from takin_jax.eval.judge import Readings
from takin_jax.eval.metrics import figures

REACH = 6  # frames that a face may be early or late
CURVES = ('lips', 'jaw', 'smile', 'width', 'yaw', 'pitch')


def curves(seen: Readings) -> dict[str, np.ndarray]:
  """[T] each: openings, blendshapes, and angles in degrees."""
  pitch, yaw, _ = seen.pose_deg.T
  return {
    'lips': seen.lips,
    'jaw': seen.jaw,
    'smile': seen.smile,
    'width': seen.mouth_width,
    'yaw': yaw,
    'pitch': pitch,
  }


def follow(
  want: Sequence[np.ndarray], got: Sequence[np.ndarray]
) -> dict[str, float]:
  """One curve of several clips, [T] each; means are taken off clip by clip.

  Returns:
    `r` and `gain` (slope) at lag 0; `peak_r`, the correlation at the constant
    lag of all these clips where it is highest, and that `lag` in frames
    (positive: late); `std` and `std_real`: standard deviations within clips.
  """
  by_lag = [_joined(want, got, lag) for lag in range(-REACH, REACH + 1)]
  rs = np.array([figures.follow(*x)['r'] for x in by_lag])
  lag = figures.peak_lag(rs)
  pair = by_lag[REACH]
  return figures.follow(*pair) | {
    'peak_r': float('nan') if lag is None else float(rs[lag + REACH]),
    'lag': float('nan') if lag is None else lag,
    'std': _spread(pair[1], pair[2]),
    'std_real': _spread(pair[0], pair[2]),
  }


def _joined(
  want: Sequence[np.ndarray], got: Sequence[np.ndarray], lag: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """All clips one after the other, `got` taken `lag` frames later."""
  parts = []
  for number, (a, b) in enumerate(zip(want, got, strict=True)):
    n = min(len(a), len(b))
    a = a[max(-lag, 0) : n - max(lag, 0)]
    b = b[max(lag, 0) : n - max(-lag, 0)]
    parts.append((a, b, np.full(len(a), number)))
  a, b, clip = (np.concatenate(x) for x in zip(*parts, strict=True))
  return a, b, clip


def _spread(curve: np.ndarray, clip: np.ndarray) -> float:
  """Standard deviation within clips of what is known."""
  known = np.isfinite(curve)
  if not known.any():
    return float('nan')
  return float(figures.within_clip(curve[known], clip[known]).std())
