"""`card`: every protocol on some weights, and which goals they meet.

Runs the other subcommands with settings that two CPU cores can bear, each into
OUT/WEIGHTS/COMMAND, and writes OUT/card.md and card.json. What was measured is
kept there: a card that was stopped goes on, and the figures of `--against` are
measured once.
"""

import argparse
from collections.abc import Mapping, Sequence
import json
from pathlib import Path
from typing import Any

from takin_jax.errors import InputError
from takin_jax.eval.goals import GOALS, Reports
from takin_jax.eval.report import Table, markdown_table, plain

HELP = 'all of it: one table of goals, for one or two weights'
# Subcommand -> its options here, and the tables of its report that are shown.
_PARTS: dict[str, tuple[dict[str, int], tuple[str, ...]]] = {
  'background': ({'count': 8}, ('summary', 'backgrounds')),
  'replay': ({'count': 12, 'seconds': 3}, ('summary',)),
  'quiet': ({'count': 6}, ('summary',)),
  'own-speech': ({'count': 6, 'seconds': 6, 'seeds': 1}, ('summary', 'lips')),
  'emotion': ({'count': 5, 'seconds': 3}, ('summary', 'confusion')),
  'self': ({'count': 16, 'frames': 6, 'run': 12}, ('pairs', 'moves')),
  'cross': ({'count': 5, 'frames': 40}, ('summary',)),
  'probe': ({'count': 3, 'seconds': 6}, ('summary',)),
}
_LONG_S = 2.0  # shorter clips hardly move
_LONG_CLIPS = ('self', 'cross')
_ON_PORTRAITS = ('background', 'cross', 'probe', 'emotion')
_NAMES_PEOPLE = ('background', 'self', 'cross', 'emotion')


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Options of this subcommand."""
  add = parser.add_argument
  add('--portraits', required=True, metavar='FOLDER')
  add('--against', metavar='NAME|DIR', help='other weights, to stand beside')
  add('--speech', nargs='+', metavar='FILE', help='sounds for `probe`')
  add('--face-net', metavar='ONNX', help='for CSIM, such as MobileFaceNet')
  add('--only', nargs='+', choices=_PARTS, help='these parts')
  add('--count', type=int, help='clips, portraits: at most as many a part')
  add('--seconds', type=float, help='of each clip and sound, at most')


def names(args: argparse.Namespace) -> dict[str, str]:
  """Weights by the name of their folder; those under test are the last.

  Raises:
    InputError: if two have the same name.
  """
  chosen = [x for x in (args.against, args.weights) if x is not None]
  out = {Path(weights).name: weights for weights in chosen}
  if len(out) < len(chosen):
    raise InputError(f'Two weights are named {next(iter(out))}: rename one.')
  return out


def commands(args: argparse.Namespace, name: str) -> dict[str, list[str]]:
  """The command line of every part, for the weights of that name."""
  out = {}
  for part, (settings, _) in _PARTS.items():
    if part in (args.only or _PARTS) and (part != 'probe' or args.speech):
      line = [part, '--weights', names(args)[name]]
      line += ['--out', str(Path(args.out) / name / part)]
      line += ['--device', args.device]
      if args.landmarker:
        line += ['--landmarker', args.landmarker]
      if part != 'emotion':
        line += ['--records', args.records, '--split', args.split]
      if part in _ON_PORTRAITS:
        line += ['--portraits', args.portraits]
      if part in _NAMES_PEOPLE and args.face_net:
        line += ['--face-net', args.face_net]
      for option, value in settings.items():
        limit = {'count': args.count, 'seconds': args.seconds}.get(option)
        value = value if limit is None else min(value, limit)
        line += [f'--{option}', str(value)]
      if part == 'self':
        line += ['--no-frechet']
      if part in _LONG_CLIPS:
        line += ['--min-seconds', str(_LONG_S)]
      if part == 'probe':
        line += ['--speech', *args.speech]
      out[part] = line
  return out


def write(args: argparse.Namespace, failed: Mapping[str, str]) -> str:
  """Writes card.json and card.md from the reports, and returns the latter.

  Args:
    args: of the command.
    failed: WEIGHTS/COMMAND -> why there is no report.
  """
  out = Path(args.out)
  reports = {name: _reports(out / name) for name in names(args)}
  rows = [_row(goal, reports) for goal in GOALS]
  lines = {name: commands(args, name) for name in reports}
  card = {'goals': rows, 'commands': lines, 'not_measured': dict(failed)}
  text = json.dumps(plain(card), indent=2, ensure_ascii=False)
  (out / 'card.json').write_text(text + '\n', encoding='utf-8')
  page = _page(reports, rows, failed, bool(args.speech))
  (out / 'card.md').write_text(page, encoding='utf-8')
  return page


def _reports(folder: Path) -> dict[str, Any]:
  """What there is of one name."""
  paths = {part: folder / part / 'report.json' for part in _PARTS}
  return {
    part: json.loads(path.read_text(encoding='utf-8'))
    for part, path in paths.items()
    if path.is_file()
  }


def _row(goal, reports: Mapping[str, Reports]) -> dict[str, Any]:
  values = {name: goal.value(found) for name, found in reports.items()}
  under_test = list(values.values())[-1]
  row = {'what': goal.what, 'goal': goal.text, 'digits': goal.digits}
  return row | {'values': values, 'met': goal.met(under_test)}


def _page(
  reports: Mapping[str, Reports],
  rows: Sequence[Mapping[str, Any]],
  failed: Mapping[str, str],
  probed: bool,
) -> str:
  said = {True: 'yes', False: 'no', None: '–'}
  judged = [row['met'] for row in rows if row['met'] is not None]
  goals = {
    row['what']: {
      'goal': row['goal'] or '–',
      **{
        name: None if value is None else f'{value:.{row["digits"]}f}'
        for name, value in row['values'].items()
      },
      'met': said[row['met']],
    }
    for row in rows
  }
  parts = [f'# Card of {list(reports)[-1]}']
  parts += [f'{sum(judged)} of {len(judged)} goals are met.']
  parts += [markdown_table(Table('', goals))]
  for part, (_, shown) in _PARTS.items():
    for key in shown:
      parts += _side_by_side(part, key, reports)
  parts += [f'{name}: not measured: {why}' for name, why in failed.items()]
  if not probed:
    parts += ['probe r: not measured: give sounds with --speech']
  return '\n\n'.join(parts) + '\n'


def _side_by_side(
  part: str, key: str, reports: Mapping[str, Reports]
) -> list[str]:
  """One table of a report for all weights: title, rows, note."""
  tables = {
    name: found[part]['tables'][key]
    for name, found in reports.items()
    if key in found.get(part, {}).get('tables', {})
  }
  if not tables:
    return []
  rows = {
    f'{name}: {label}': row
    for label in next(iter(tables.values()))['rows']
    for name, table in tables.items()
    if (row := table['rows'].get(label)) is not None
  }
  last = list(tables.values())[-1]
  table = Table(last['title'], rows, last['note'])
  out = [f'## {part}: {table.title}', markdown_table(table)]
  return out + [table.note] * bool(table.note)
