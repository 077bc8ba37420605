"""Interleaved timing: A B C, C B A, A B C, ... in one process.

What disturbs the machine for a while then disturbs all sides alike.
"""

from collections.abc import Callable, Mapping
import dataclasses
import time
from typing import Any

import numpy as np

# Enough rounds for this long, but no fewer and no more than these.
BUDGET_S, FEWEST, MOST = 20.0, 5, 50
# Worker threads of one side stop spinning before the other side starts.
_PAUSE_S = 0.02


@dataclasses.dataclass(frozen=True)
class Times:
  """Milliseconds of one side.

  Attributes:
    wall_ms: of every run.
    cpu_ms: processor time of all threads of every run.
  """

  wall_ms: tuple[float, ...]
  cpu_ms: tuple[float, ...]

  @property
  def median(self) -> float:
    return float(np.median(self.wall_ms))

  @property
  def min(self) -> float:
    return min(self.wall_ms)

  @property
  def p95(self) -> float:
    return float(np.percentile(self.wall_ms, 95))

  @property
  def cpu(self) -> float:
    return float(np.median(self.cpu_ms))


def interleaved(
  sides: Mapping[str, Callable[[], Any]],
  runs: int | None = None,
  tick: Callable[[], None] = lambda: None,
) -> dict[str, Times]:
  """Times all sides in turn, after one run each that does not count.

  Args:
    sides: callables that return when their work is done.
    runs: per side; None: as many as `BUDGET_S` allows.
    tick: called after every run.
  """
  first = {name: _time(side) for name, side in sides.items()}
  if runs is None:
    total_s = sum(wall for wall, _ in first.values()) / 1e3
    runs = int(np.clip(BUDGET_S / max(total_s, 1e-6), FEWEST, MOST))
  found: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
  for i in range(runs):
    for name in list(sides)[:: -1 if i % 2 else 1]:
      time.sleep(_PAUSE_S)
      found[name].append(_time(sides[name]))
      tick()
  return {
    name: Times(*map(tuple, zip(*pairs, strict=True)))
    for name, pairs in found.items()
  }


def _time(side: Callable[[], Any]) -> tuple[float, float]:
  """Wall and processor milliseconds of one run."""
  cpu, wall = time.process_time(), time.perf_counter()
  side()
  wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
  return 1e3 * wall, 1e3 * cpu
