"""What generated motion has in common with the real one, in figures."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from takin_jax import face

_MAX_LAG = 5  # frames


def figures(
  found: np.ndarray, wrong: np.ndarray, windows: Mapping[str, np.ndarray]
) -> dict[str, float]:
  """Lips and head of generated motion against the real ones.

  People count alike, however long they speak; `lips_r/PERSON` is of one alone.

  Args:
    found: [N, T, M] for the windows' own sound.
    wrong: [N, T, M] for that of others.
    windows: the real `motion`, masks, and `person` of every window.
  """
  real, mask = windows['motion'], windows['frame_mask']
  lips, other = (
    _by_person(fit(lip_gap(x), lip_gap(real), mask), windows['person'])
    for x in (found, wrong)
  )
  r, gain, r_best_lag = np.mean(list(lips.values()), 0)
  known = windows['head_mask'].all(1)  # windows that know the head's rest

  def spread(curves: np.ndarray, some: np.ndarray) -> float:
    return float(np.std(curves[some], 1, where=mask[some]).mean())

  def ratio(curve: Callable[[np.ndarray], np.ndarray], some: Any) -> float:
    return spread(curve(found), some) / spread(curve(real), some)

  heads = {
    f'{name}_spread': ratio(lambda x, k=k: x[..., k], known)
    for name, k in (('yaw', face.YAW), ('pitch', face.PITCH))
    if known.any()
  }
  seen = mask & windows['follows']
  return {
    'lips_r': r,
    'lips_gain': gain,
    'lips_r_best_lag': r_best_lag,
    'lips_r_other_sound': np.mean(list(other.values()), 0)[0],
    'lips_spread': ratio(lip_gap, np.full(len(mask), True)),
    **heads,
    'jerk': _jerk(found, seen) / _jerk(real, seen),
    **{f'lips_r/{person}': value[0] for person, value in lips.items()},
  }


def _by_person(values: np.ndarray, people: np.ndarray) -> dict[str, np.ndarray]:
  """Means of the [N, F] values of every person that has some."""
  kept = ~np.isnan(values).any(1)
  return {
    str(person): values[kept & (people == person)].mean(0)
    for person in np.unique(people[kept])
  } or {'nobody': np.zeros(values.shape[1])}


def lip_gap(motion: np.ndarray) -> np.ndarray:
  """[..., M] motion vectors -> [...] change of the gap between the lips."""
  return face.gaps(face.exp_points(motion), (face.INNER_LIPS,))[..., 0]


def fit(found: np.ndarray, wanted: np.ndarray, mask: np.ndarray) -> np.ndarray:
  """How well curves follow others, each on its own.

  Args:
    found: [N, T].
    wanted: [N, T].
    mask: [N, T] bool, where both are known.

  Returns:
    [N, 3]: correlation, slope, and correlation at the constant lag of at most
    `_MAX_LAG` frames that suits the curve best, for sound is often early or
    late by a frame or two; NaN where nothing moves.
  """
  results = np.full((len(found), 3), np.nan)
  for i, (x, y, seen) in enumerate(zip(found, wanted, mask, strict=True)):
    x, y = x[seen], y[seen]
    if len(y) > 2 * _MAX_LAG and y.std() > 0:
      deviation = y - y.mean()
      slope = ((x - x.mean()) * deviation).sum() / np.square(deviation).sum()
      lags = range(-_MAX_LAG, _MAX_LAG + 1)
      best = max(_correlation(x, y, lag) for lag in lags)
      results[i] = _correlation(x, y, 0), slope, best
  return results


def _correlation(x: np.ndarray, y: np.ndarray, lag: int) -> float:
  """Of curves where x comes `lag` frames after y."""
  x = x[max(lag, 0) : len(x) + min(lag, 0)]
  y = y[max(-lag, 0) : len(y) - max(lag, 0)]
  x, y = x - x.mean(), y - y.mean()
  power = np.square(x).sum() * np.square(y).sum()
  return float((x * y).sum() / np.sqrt(max(power, 1e-20)))


def _jerk(motion: np.ndarray, seen: np.ndarray) -> float:
  """Mean size of the expression's third difference, where [N, T] is seen."""
  change = np.abs(np.diff(motion[..., face.EXP], 3, axis=1)).mean(-1)
  whole = np.stack([seen[:, i : i + change.shape[1]] for i in range(4)]).all(0)
  return float(change[whole].mean()) if whole.any() else 0.0
