"""What a golden case gives: named differences and what they may be."""

from collections.abc import Mapping
import dataclasses
import math
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Check:
  """One comparison.

  Attributes:
    name: of the output.
    difference: largest one, absolute; of gradients relative to their size.
    limit: what it may be.
  """

  name: str
  difference: float
  limit: float

  @property
  def good(self) -> bool:
    return math.isfinite(self.difference) and self.difference <= self.limit

  def __str__(self) -> str:
    mark = '' if self.good else ' TOO LARGE'
    return f'{self.name} {self.difference:.1e} (of {self.limit:.0e}){mark}'


def difference(got: Any, want: Any) -> float:
  """Largest absolute difference; shapes must be the same."""
  got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
  assert got.shape == want.shape, (got.shape, want.shape)
  return float(np.abs(got - want).max())


def compare(
  want: Mapping[str, Any], got: Mapping[str, Any], limit: float
) -> list[Check]:
  """A check for every array of `got`, against the same name in `want`."""
  return [Check(k, difference(v, want[k]), limit) for k, v in got.items()]


def worst(checks: list[Check]) -> Check:
  """The one that is closest to its limit, or furthest over it."""
  return max(checks, key=lambda c: (not c.good, c.difference / c.limit))


def line(name: str, checks: list[Check]) -> str:
  """One line about a case."""
  bad = [check for check in checks if not check.good]
  verdict = 'FAILED' if bad else 'ok'
  shown = bad or [worst(checks)]
  text = ', '.join(map(str, shown))
  return f'{name}: {verdict}, {len(checks)} checks, largest: {text}'
