"""What the shipped weights are meant to reach, figure by figure.

In: the reports of some weights, as in `report.json`, by subcommand. Out:
values, and whether each goal is met.
"""

from collections.abc import Mapping
import math
from typing import Any, NamedTuple

Reports = Mapping[str, Mapping[str, Any]]


class Goal(NamedTuple):
  """One figure that is watched.

  Attributes:
    what: in words.
    report: subcommand.
    table: of that report.
    row: of that table.
    figure: its name.
    bound: the goal; None: watched only.
    at_most: the goal is an upper bound.
    digits: after the point.
  """

  what: str
  report: str
  table: str
  row: str
  figure: str
  bound: float | None = None
  at_most: bool = False
  digits: int = 2

  def value(self, reports: Reports) -> float | None:
    """The figure; None if it was not measured."""
    tables = reports.get(self.report, {}).get('tables', {})
    rows = tables.get(self.table, {}).get('rows', {})
    return rows.get(self.row, {}).get(self.figure)

  def met(self, value: float | None) -> bool | None:
    """Whether a value is good enough; None: nothing to be said."""
    if self.bound is None or value is None or not math.isfinite(value):
      return None
    return value <= self.bound if self.at_most else value >= self.bound

  @property
  def text(self) -> str:
    """The goal in words."""
    if self.bound is None:
      return ''
    return f'{"≤" if self.at_most else "≥"} {self.bound:.{self.digits}f}'


_SELF = ('self', 'moves', 'own motion extractor')
_PAIRS = ('self', 'pairs', 'own motion extractor')
_CROSS = ('cross', 'summary', 'mean over pairs')
# Smiles are rare: slopes of single pairs are noise.
_CROSS_ALL = ('cross', 'summary', 'all frames')
_BEHIND = ('background', 'summary', 'worst face')
_REPLAY = ('replay', 'summary', 'all clips')
_LIPS, _YAW = (('own-speech', 'summary', name) for name in ('lips', 'yaw'))
_EMOTION = ('emotion', 'overall', 'all emotions')
_QUIET = ('quiet', 'summary', 'output')

GOALS = (
  Goal('background: lips / own, worst', *_BEHIND, 'background_lips', 0.9),
  Goal('background: lids / own, worst', *_BEHIND, 'background_lids'),
  Goal('background: CSIM - own, worst', *_BEHIND, 'background_csim'),
  Goal('self: LPIPS', *_PAIRS, 'lpips', 0.078, True, 4),
  Goal('self: LPIPS mouth', *_PAIRS, 'lpips_mouth', 0.09, True, 4),
  Goal('self: CSIM', *_PAIRS, 'csim'),
  Goal("mouth's inside: sharpness / real", *_REPLAY, 'inside_sharpness', 0.6),
  Goal('self: lips r', *_SELF, 'lips_r', 0.93),
  Goal('self: lips gain', *_SELF, 'lips_gain', 0.9),
  Goal('self: lids r', *_SELF, 'lids_r', 0.92),
  Goal('self: lids gain', *_SELF, 'lids_gain', 0.85),
  Goal('self: mouth width gain', *_SELF, 'width_gain', 0.85),
  Goal('self: smile gain', *_SELF, 'smile_gain', 0.85),
  Goal('cross: smile gain', *_CROSS_ALL, 'smile_gain', 0.6),
  Goal('gaze r', *_REPLAY, 'gaze_r', 0.6),
  Goal('gaze gain', *_REPLAY, 'gaze_gain', 0.5),
  Goal('blinks: closing / real', *_REPLAY, 'blink_ratio'),
  Goal('cross: CSIM', *_CROSS, 'csim', 0.88),
  Goal('cross: lips r', *_CROSS, 'lips_r', 0.88),
  Goal('cross: lips gain', *_CROSS, 'lips_gain', 0.85),
  Goal('own speech: lips r', *_LIPS, 'r', 0.5),
  Goal('own speech: lips r at the best lag', *_LIPS, 'peak_r'),
  Goal('own speech: lips gain', *_LIPS, 'gain', 0.55),
  Goal('own speech: yaw std / real', *_YAW, 'spread', 0.6),
  Goal('own speech: yaw r', *_YAW, 'r'),
  Goal('probe r on portraits', 'probe', 'summary', 'all', 'probe_r', 0.65),
  Goal('still pixels that move', *_REPLAY, 'still_moved', 0.01, True, 4),
  Goal('nothing moves: LPIPS / still copy', *_QUIET, 'over_copy', 1.0, True),
  Goal('emotions that show everywhere', *_EMOTION, 'told', 6, False, 0),
  Goal('emotions: worst CSIM loss', *_EMOTION, 'csim_loss', 0.15, True),
)
