"""Results of compare.py as a Markdown table and a bar chart.

  python benchmarks/report.py FILE.json... [--markdown] [--png FILE]

Needs neither JAX nor PyTorch.
"""

import argparse
from collections.abc import Iterator, Sequence
import json
from pathlib import Path
import sys
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from takin_jax.cli.errors import command
from takin_jax.errors import InputError

# The keys of a row that every results file has.
ROW_KEYS = (
  'block',
  'size',
  'dtype',
  'baseline',
  'jax_ms',
  'torch_ms',
  'ratio',
  'min_ratio',
  'max_abs_diff',
  'flop',
  'roofline_share',
)
_COLOURS = {'torch eager': '#4878a8', 'torch compile': '#e08838'}
_OTHER = '#888888'
_BAR, _GAP, _LEFT, _RIGHT, _PLOT, _TOP = 22, 16, 250, 90, 560, 70

Results = dict[str, Any]


@command('report')
def main(argv: Sequence[str] | None = None) -> int:
  """Command line; returns the exit code."""
  parser = argparse.ArgumentParser(
    prog='benchmarks/report.py', description=__doc__.splitlines()[0]
  )
  parser.add_argument('files', nargs='+', metavar='FILE.json')
  parser.add_argument(
    '--markdown', action='store_true', help='print a table (the default)'
  )
  parser.add_argument('--png', metavar='FILE', help='draw a bar chart')
  args = parser.parse_args(argv)
  files = [load(path) for path in args.files]
  if args.png:
    _save(chart(files), args.png)
  if args.markdown or not args.png:
    print('\n\n'.join(map(markdown, files)))
  return 0


def load(path: str) -> Results:
  """Reads one results file.

  Raises:
    InputError: it is missing, damaged or of another kind.
  """
  try:
    results = json.loads(Path(path).read_text())
  except OSError:
    raise InputError(f'There is no file {path}.') from None
  except ValueError as error:
    raise InputError(f'{path} is not JSON: {error}.') from None
  rows = results.get('rows') if isinstance(results, dict) else None
  if not rows or not all(
    isinstance(row, dict) and set(ROW_KEYS) <= set(row) for row in rows
  ):
    raise InputError(f'{path} holds no results of benchmarks/compare.py.')
  return results


def markdown(results: Results) -> str:
  """The table, under a line that says where it was made."""
  versions = results['versions']
  made = ', '.join(
    f'{name} {versions[name]}' for name in ('jax', 'torch') if name in versions
  )
  lines = [
    f'{results["device"]}; {made}; commit {results["commit"][:12]}',
    '',
    '| block | size | type | against | ours, ms | PyTorch, ms | ratio '
    '| ratio of minima | largest difference | GFLOP | of the roofline |',
    '| --- ' * 4 + '| ---: ' * 7 + '|',
  ]
  for row in results['rows']:
    share = row['roofline_share']
    cells = (
      row['block'],
      row['size'],
      row['dtype'],
      row['baseline'],
      _ms(row['jax_ms']),
      _ms(row['torch_ms']),
      f'**{row["ratio"]:.2f}**',
      f'{row["min_ratio"]:.2f}',
      f'{row["max_abs_diff"]:.1e}',
      f'{row["flop"] / 1e9:.1f}',
      '' if share is None else f'{share:.0%}',
    )
    lines.append(f'| {" | ".join(cells)} |')
  return '\n'.join(lines)


def _ms(value: float) -> str:
  """Three digits."""
  return f'{value:.0f}' if value >= 100 else f'{value:.3g}'


def chart(files: Sequence[Results]) -> Image.Image:
  """Bars of the ratios; everything right of the line at 1 is faster."""
  groups = list(_groups(files))
  top = max(row['ratio'] for _, rows in groups for row in rows)
  scale = _PLOT / max(1.1 * top, 1.5)
  height = _TOP + sum(_BAR * len(rows) + _GAP for _, rows in groups) + _GAP
  width = _LEFT + _PLOT + _RIGHT
  image = Image.new('RGB', (width, height), 'white')
  draw = ImageDraw.Draw(image)
  font = ImageFont.load_default(15)
  devices = ' and '.join(dict.fromkeys(f['device'] for f in files))
  draw.text((16, 12), f'Times as fast as PyTorch on {devices}', 'black', font)
  _legend(draw, groups, font)
  y = _TOP + _GAP // 2
  for label, rows in groups:
    middle = y + _BAR * len(rows) / 2
    draw.text((_LEFT - 12, middle), label, 'black', font, anchor='rm')
    for row in rows:
      end = _LEFT + scale * row['ratio']
      colour = _COLOURS.get(row['baseline'], _OTHER)
      draw.rectangle((_LEFT, y, end, y + _BAR - 3), colour)
      text = f'{row["ratio"]:.2f}'
      place = (end + 6, y + _BAR / 2 - 1)
      draw.text(place, text, 'black', font, anchor='lm')
      y += _BAR
    y += _GAP
  one = _LEFT + scale
  draw.line((one, _TOP, one, height - _GAP), 'black', 2)
  return image


def _groups(
  files: Sequence[Results],
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
  """(label, rows) per block of every file."""
  for results in files:
    blocks: dict[str, list[dict[str, Any]]] = {}
    for row in results['rows']:
      label = f'{row["block"]}, {row["size"]}, {row["dtype"]}'
      blocks.setdefault(label, []).append(row)
    yield from blocks.items()


def _legend(draw: ImageDraw.ImageDraw, groups: Any, font: Any) -> None:
  x = _LEFT
  for name in dict.fromkeys(
    row['baseline'] for _, rows in groups for row in rows
  ):
    draw.rectangle((x, 42, x + 14, 56), _COLOURS.get(name, _OTHER))
    draw.text((x + 20, 49), f'against {name}', 'black', font, anchor='lm')
    x += 210


def _save(image: Image.Image, path: str) -> None:
  try:
    image.save(path, 'PNG')
  except OSError as error:
    raise InputError(f'{path} cannot be written: {error}.') from None


if __name__ == '__main__':
  sys.exit(main())
