"""Interleaving, statistics, roofline."""

import pytest

from benchmarks import timing


def test_sides_take_turns_in_alternating_order():
  calls = []
  sides = {name: lambda name=name: calls.append(name) for name in 'abc'}
  times = timing.interleaved(sides, runs=3)
  assert ''.join(calls) == 'abc' + 'abc' + 'cba' + 'abc'
  assert all(len(t.wall_ms) == 3 for t in times.values())


def test_statistics():
  times = timing.Times(tuple(range(1, 101)), (2.0,) * 100)
  assert (times.median, times.min, times.cpu) == (50.5, 1, 2.0)
  assert 95 < times.p95 < 96.5


def test_short_runs_are_repeated_and_long_ones_are_not(monkeypatch):
  monkeypatch.setattr(timing, '_PAUSE_S', 0.0)
  monkeypatch.setattr(timing, '_time', lambda side: (4000.0, 0.0))
  assert len(timing.interleaved({'a': None})['a'].wall_ms) == timing.FEWEST
  monkeypatch.setattr(timing, '_time', lambda side: (1.0, 0.0))
  assert len(timing.interleaved({'a': None})['a'].wall_ms) == timing.MOST


@pytest.mark.torch
def test_roofline():
  pytest.importorskip('torch')
  from benchmarks.measure import roofline_share
  from benchmarks.programs import Cost

  # 1 TFLOP at 10 TFLOP/s takes 100 ms, 1 GB at 100 GB/s 10 ms.
  assert roofline_share(Cost(1e12, 1e9), 200.0, (10.0, 100.0)) == 0.5
  assert roofline_share(Cost(0.0, 1e9), 40.0, (10.0, 100.0)) == 0.25
  assert roofline_share(Cost(1e12, 1e9), 200.0, None) is None
  assert 2 * (Cost(3, 1) - Cost(1, 1)) + Cost(0, 5) == Cost(4, 5)


@pytest.mark.torch
def test_known_devices():
  pytest.importorskip('torch')
  from benchmarks.hardware import peaks

  assert peaks('NVIDIA H200', 'bfloat16') == (989.4, 4800.0)
  assert peaks('NVIDIA H100 80GB HBM3', 'bfloat16')[1] == 3350.0
  assert peaks('NVIDIA H100 PCIe', 'bfloat16')[1] == 2000.0
  assert peaks('NVIDIA GeForce RTX 4090', 'float32') == (82.6, 1008.0)
  assert peaks('Some processor', 'float32') is None
