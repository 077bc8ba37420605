"""What `emotion` says of blendshapes and likenesses: rows and tables.

In: by portrait and emotion (`NAME[:scale]`) the change of the blendshapes
against the neutral output, and the CSIM to the portrait. Out: tables.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from takin_jax.data.faces.blendshapes import NEUTRAL, SIGNS
from takin_jax.eval.metrics import confusion, figures
from takin_jax.eval.report import Row, Table

_SHOWN = tuple(
  dict.fromkeys(sign for signs in SIGNS.values() for sign in signs)
)

Shapes = Mapping[str, float]
Changes = Mapping[str, Mapping[str, Shapes]]
Likeness = Mapping[str, Mapping[str, float]]


def name_of(emotion: str) -> str:
  """`NAME` of `NAME[:scale]`."""
  return emotion.split(':')[0]


def minus(a: Shapes, b: Shapes) -> dict[str, float]:
  """a - b for the blendshapes that both have."""
  return {name: a[name] - b[name] for name in a if name in b}


def shows(emotion: str, change: Shapes, margin: float) -> bool:
  """Whether at least one sign of an emotion rose by the margin."""
  signs = SIGNS.get(name_of(emotion), ())
  return any(change.get(sign, 0.0) >= margin for sign in signs)


def tables(
  changes: Changes, likeness: Likeness, emotions: Sequence[str], margin: float
) -> dict[str, Table]:
  """All tables of the report.

  Args:
    changes: blendshapes minus the neutral ones, by portrait and emotion.
    likeness: CSIM to the portrait, also of the neutral output; may be empty.
    emotions: that were asked for.
    margin: a sign must rise by this.
  """
  everyone, patterns = list(changes), _patterns(emotions)

  def row(name: str, portraits: Sequence[str]) -> Row:
    return emotion_row(name, portraits, changes, likeness, margin)

  rows = {name: row(name, everyone) for name in emotions}
  overall = _overall(changes, rows, margin)
  signs = '; '.join(f'{k}: {" or ".join(v)}' for k, v in patterns.items())
  return {
    'summary': Table(
      f'{overall["told"]} of {len(emotions)} emotions show on all of '
      f'{len(everyone)} portraits',
      rows,
      f'Blendshapes by MediaPipe minus those of the neutral output. An emotion '
      f'shows if one of its signs rises by {margin} or more ({signs}). CSIM: '
      'to the portrait; worst loss: that of the neutral output minus it, on '
      'the portrait where it is largest.',
    ),
    'overall': Table(
      'All emotions and portraits',
      {'all emotions': overall},
      'Told: emotions that show on all portraits; nearest: share of outputs '
      'whose nearest pattern is the one that was asked for.',
    ),
    'confusion': confusion.table(changes, emotions, patterns, margin),
    'portraits': Table(
      'Portrait by portrait',
      {
        f'{portrait}, {name}': row(name, [portrait])
        for portrait in everyone
        for name in emotions
      },
    ),
  }


def emotion_row(
  emotion: str,
  portraits: Sequence[str],
  changes: Changes,
  likeness: Likeness,
  margin: float,
) -> dict[str, float | str]:
  """Figures of one emotion over some portraits."""
  seen = [changes[portrait][emotion] for portrait in portraits]
  passed = sum(shows(emotion, change, margin) for change in seen)
  row: dict[str, float | str] = {
    sign: figures.mean([change.get(sign, np.nan) for change in seen])
    for sign in _SHOWN
  }
  row['shows'] = f'{passed} of {len(portraits)}'
  known = [likeness[portrait] for portrait in portraits]
  if all(known):
    row['csim'] = figures.mean([part[emotion] for part in known])
    losses = [part[NEUTRAL] - part[emotion] for part in known]
    row['csim_loss'] = float(np.nanmax(losses))
  return row


def _patterns(emotions: Sequence[str]) -> dict[str, tuple[str, ...]]:
  """The signs of those emotions that have any."""
  names = map(name_of, emotions)
  return {name: SIGNS[name] for name in names if name in SIGNS}


def _overall(changes: Changes, rows: Mapping[str, Row], margin: float) -> Row:
  """One row for everything."""
  patterns = _patterns(list(rows))
  told = sum(
    all(shows(name, part[name], margin) for part in changes.values())
    for name in rows
  )
  right = [
    confusion.nearest(part[name], patterns, margin) == name_of(name)
    for part in changes.values()
    for name in rows
  ]
  out = {'told': told, 'asked': len(rows), 'nearest': float(np.mean(right))}
  losses = [row['csim_loss'] for row in rows.values() if 'csim_loss' in row]
  return out | ({'csim_loss': float(np.nanmax(losses))} if losses else {})
