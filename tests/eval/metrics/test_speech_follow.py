import numpy as np
import pytest

from takin_jax.eval.metrics.speech_follow import CURVES, curves, follow
from tests.eval.fake_judge import readings


def _curves(seed: int, count: int = 2) -> list[np.ndarray]:
  rng = np.random.default_rng(seed)
  return [
    np.convolve(rng.normal(size=64), np.ones(3), 'valid') for _ in range(count)
  ]


def test_late_and_small_is_told():
  want = _curves(0)
  late = [0.5 * np.roll(curve, 3) + i for i, curve in enumerate(want)]
  row = follow(want, late)
  assert row['lag'] == 3 and row['peak_r'] == pytest.approx(1, abs=1e-3)
  assert row['r'] < 0.5
  assert row['std'] == pytest.approx(0.5 * row['std_real'], rel=1e-6)
  row = follow(want, [0.5 * curve for curve in want])
  assert row['r'] == pytest.approx(1) and row['gain'] == pytest.approx(0.5)


def test_clips_are_not_compared_with_each_other():
  """Different means of two clips are no agreement."""
  want, other = _curves(1), _curves(2)
  shifted = [curve + 9 * i for i, curve in enumerate(want)]
  row = follow(shifted, [curve + 9 * i for i, curve in enumerate(other)])
  assert row['r'] == pytest.approx(follow(want, other)['r'])
  assert abs(row['r']) < 0.4


def test_a_still_face_follows_nothing():
  want = _curves(3)
  row = follow(want, [np.zeros(62), np.zeros(62)])
  assert np.isnan([row['r'], row['peak_r'], row['lag']]).all()
  assert row['gain'] == 0 and row['std'] == 0
  row = follow(want, [np.full(62, np.nan)] * 2)
  assert np.isnan([row['r'], row['gain'], row['std']]).all()


def test_all_curves_are_read():
  found = curves(readings([0.1, 0.2, np.nan]))
  assert tuple(found) == CURVES
  assert all(len(curve) == 3 for curve in found.values())
  assert np.isnan([curve[2] for curve in found.values()]).all()
