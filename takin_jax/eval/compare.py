"""`compare`: figures of several folders side by side.

A folder is a training run (its last evaluation, from `metrics.jsonl`), a
report of this program (the first row of each table in `report.json`), or
weights, which are then measured with `self` into OUT/NAME. With `--table 4` the
columns are those of the ablations in the paper, see `paper`.
"""

from collections.abc import Sequence
import json
from pathlib import Path

from takin_jax import weights
from takin_jax.errors import InputError
from takin_jax.eval.report import Table, markdown_table

HELP = 'figures of runs and reports side by side'
_PREFIX = 'eval/'


def is_weights(folder: str) -> bool:
  """Whether this is weights that have to be measured first."""
  return folder in weights.known() or (
    (Path(folder) / weights.PARAMS_FILE).is_file()
    and not any((Path(folder) / name).is_file() for name, _ in _SOURCES)
  )


def compare(folders: Sequence[str]) -> str:
  """A Markdown table with one row per folder.

  Raises:
    InputError: for a folder without figures.
  """
  rows = {}
  for folder in folders:
    name = Path(folder).name
    rows[folder if name in rows else name] = _figures(Path(folder))
  return markdown_table(Table('', rows))


def _figures(folder: Path) -> dict[str, float | int | str | None]:
  for name, read in _SOURCES:
    if (folder / name).is_file():
      try:
        figures = read((folder / name).read_text(encoding='utf-8'))
      except (ValueError, KeyError, OSError) as error:
        raise InputError(
          f'{folder / name} cannot be read ({error!r}): run it again.'
        ) from None
      if figures:
        return figures
  raise InputError(
    f'{folder} has no figures: it is neither a run with an evaluation nor a '
    'report of takin_jax.eval.'
  )


def _of_run(text: str) -> dict[str, float]:
  """The last evaluation, and its step."""
  found = {}
  for line in text.splitlines(keepends=True):
    if not line.endswith('\n'):  # cut off by a kill
      break
    values = json.loads(line)
    figures = {
      key.removeprefix(_PREFIX): value
      for key, value in values.items()
      if key.startswith(_PREFIX)
    }
    if figures:
      found = {'step': values['step']} | figures
  return found


def _of_report(text: str) -> dict[str, float]:
  """The first row of every table; earlier tables win."""
  found = {}
  for table in json.loads(text)['tables'].values():
    for row in list(table['rows'].values())[:1]:
      found = row | found
  return found


_SOURCES = (('metrics.jsonl', _of_run), ('report.json', _of_report))
