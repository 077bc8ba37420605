"""Which emotion does a face look like? A table of asked against seen."""

from collections.abc import Mapping, Sequence

import numpy as np

from takin_jax.eval.report import Table

NONE = 'none'


def nearest(
  change: Mapping[str, float],
  signs: Mapping[str, Sequence[str]],
  margin: float,
) -> str:
  """The emotion whose pattern of blendshapes a change is nearest to.

  Args:
    change: blendshapes minus those of the neutral output.
    signs: the blendshapes that rise with each emotion.
    margin: if nothing rises by as much, no emotion is seen.

  Returns:
    The largest cosine similarity between the change and a pattern of ones at
    an emotion's signs; or `NONE`.
  """
  names = sorted({sign for group in signs.values() for sign in group})
  found = np.array([change.get(name, 0.0) for name in names])
  if not len(found) or found.max() < margin:
    return NONE
  likeness = {
    emotion: sum(change.get(sign, 0.0) for sign in group) / np.sqrt(len(group))
    for emotion, group in signs.items()
  }
  return max(likeness, key=likeness.get)


def table(
  changes: Mapping[str, Mapping[str, Mapping[str, float]]],
  emotions: Sequence[str],
  signs: Mapping[str, Sequence[str]],
  margin: float,
) -> Table:
  """Rows: what was asked; columns: on how many portraits each was seen.

  Args:
    changes: by portrait and emotion, see `nearest`.
    emotions: asked for, `NAME[:scale]`.
    signs: the blendshapes of every emotion that may be seen.
    margin: see `nearest`.
  """
  rows = {}
  for emotion in emotions:
    seen = [nearest(part[emotion], signs, margin) for part in changes.values()]
    rows[emotion] = {name: str(seen.count(name)) for name in (*signs, NONE)}
  return Table(
    'Confusion: asked (rows), nearest pattern (columns)',
    rows,
    'Number of portraits. Nearest: largest cosine between the change of the '
    "blendshapes and ones at an emotion's signs; none: no sign of any emotion "
    f'rises by {margin}.',
  )
