"""Tables with the columns of Takin-ADA's Tables 2 to 4 (arXiv 2410.14283).

In: folders that reports were written to. Out: Markdown. What the paper has and
no program can measure, opinions of people, is named and left empty.
"""

from collections.abc import Sequence
import json
from pathlib import Path
from typing import NamedTuple

from takin_jax.errors import InputError

_MOS = 'people have to give their opinion'
_ENDS = {
  'copy of the source': ('copy of the source', 'copy of the portrait'),
  'wrong audio': ("another clip's sound",),
  'ground truth': ('ground truth itself', 'the real clips'),
}


class Column(NamedTuple):
  """One column: which figure of which report.

  Attributes:
    heading: of the column.
    report: subcommand; '': no program measures it.
    table: of that report.
    figure: its name there.
    digits: after the point.
  """

  heading: str
  report: str = ''
  table: str = ''
  figure: str = ''
  digits: int = 3


_FID = Column('FID ↓', 'self', 'pairs', 'fid', 1)
_FRECHET = Column('Frechet VGG ↓', 'self', 'pairs', 'frechet_vgg', 1)
TABLES = {
  2: (
    _FID,
    Column('CSIM ↑', 'self', 'pairs', 'csim'),
    Column('LPIPS ↓', 'self', 'pairs', 'lpips'),
    Column('MOS-ET'),
    Column('cross: CSIM ↑', 'cross', 'summary', 'csim'),
    Column('LPIPS ↓', 'cross', 'summary', 'lpips'),
    Column('MOS-ET'),
  ),
  3: (
    Column('SSIM ↑', 'audio', 'summary', 'ssim'),
    Column('LSE-D ↓', 'audio', 'summary', 'lse_d'),
    Column('LSE-C ↑', 'audio', 'summary', 'lse_c'),
    Column('lips r ↑', 'audio', 'summary', 'lips_r'),
    Column('MOS lip sync'),
    Column('MOS naturalness'),
    Column('MOS resolution'),
  ),
  4: (
    _FID,
    Column('CSIM ↑', 'self', 'pairs', 'csim'),
    Column('LPIPS ↓', 'self', 'pairs', 'lpips', 4),
    Column('PSNR ↑', 'self', 'pairs', 'psnr', 2),
    Column('AKD, px ↓', 'self', 'pairs', 'akd', 2),
    Column('leakage, lips ↓', 'self', 'steadiness', 'leak_lips'),
    Column('leakage, lids ↓', 'self', 'steadiness', 'leak_lids'),
  ),
}

Reports = dict[str, dict]


def paper_table(number: int, folders: Sequence[str | Path]) -> str:
  """Table 2 (video-driven), 3 (audio-driven) or 4 (ablations).

  Args:
    number: of the table.
    folders: one per row: of a report, or with reports in its subfolders named
      like the subcommands. References are taken from the first.

  Raises:
    InputError: if a folder has no report that the table needs.
  """
  wanted = {column.report for column in TABLES[number] if column.report}
  found = [_reports(Path(folder), wanted) for folder in folders]
  # FID and Frechet VGG must not stand in one column.
  all_fid = all(_cell(_FID, reports, None) for reports in found)
  columns = [
    _FRECHET if column is _FID and not all_fid else column
    for column in TABLES[number]
  ]
  lines = [[' ', *(c.heading for c in columns)], ['---'] * (len(columns) + 1)]
  for folder, reports in zip(folders, found, strict=True):
    cells = [_cell(column, reports, None) for column in columns]
    lines.append([Path(folder).name, *cells])
  for name, labels in _ENDS.items():
    cells = [_cell(column, found[0], labels) for column in columns]
    if any(cells):
      lines.append([name, *cells])
  text = '\n'.join(
    f'| {" | ".join(x or "–" for x in line)} |' for line in lines
  )
  return '\n\n'.join([text, *_missing(columns, found)])


def _reports(folder: Path, wanted: set[str]) -> Reports:
  """The reports of a folder by subcommand."""
  out = {}
  for place in (folder, *(folder / name for name in sorted(wanted))):
    path = place / 'report.json'
    if path.is_file():
      try:
        report = json.loads(path.read_text(encoding='utf-8'))
        out.setdefault(report['command'], report)
      except (ValueError, KeyError, OSError) as error:
        raise InputError(
          f'{path} cannot be read ({error!r}): make it again.'
        ) from None
  if not wanted & out.keys():
    raise InputError(
      f'{folder} has no report of {" or ".join(sorted(wanted))}: make it with '
      'python -m takin_jax.eval.'
    )
  return out


def _cell(
  column: Column, reports: Reports, labels: Sequence[str] | None
) -> str:
  """From the first row of the table, or from the one of these labels."""
  tables = reports.get(column.report, {}).get('tables', {})
  rows = tables.get(column.table, {}).get('rows', {})
  picked = list(rows) if labels is None else [x for x in labels if x in rows]
  value = rows[picked[0]].get(column.figure) if picked else None
  return '' if value is None else f'{value:.{column.digits}f}'


def _missing(columns: Sequence[Column], found: Sequence[Reports]) -> list[str]:
  """What is not in the table, and why."""
  out = {}
  for reports in found:
    for report in reports.values():
      out |= report.get('not_measured', {})
  out |= {column.heading: _MOS for column in columns if not column.report}
  return [f'{name}: not measured: {why}' for name, why in out.items()]
