"""python -m takin_jax.eval COMMAND --out DIR: the figures of some weights.

Every subcommand writes report.json, report.md and sheet.png into DIR and
prints the tables. MediaPipe (extra `data`) judges the frames that were made.
`card` runs them all and holds the figures against the goals; `compare DIR...`
prints those of reports, training runs or weights side by side. What was
measured stays in DIR/cache: a run that was stopped goes on.
"""

import argparse
from collections.abc import Sequence
import os
from pathlib import Path
import sys

from takin_jax import compilation
from takin_jax.cli.errors import command
from takin_jax.data.faces import landmarker
from takin_jax.data.faces.landmarks import MODEL_ENV
from takin_jax.errors import InputError
from takin_jax.eval import card, compare, paper
from takin_jax.eval.judge import LandmarkJudge
from takin_jax.eval.protocols import (
  audio,
  background,
  cross_reenactment,
  emotion,
  own_speech,
  probe,
  quiet,
  replay,
  self_reenactment,
)
from takin_jax.eval.protocols.candidate import open_candidate

COMMANDS = {
  'self': self_reenactment,
  'cross': cross_reenactment,
  'audio': audio,
  'own-speech': own_speech,
  'probe': probe,
  'emotion': emotion,
  'background': background,
  'replay': replay,
  'quiet': quiet,
}


def _parser() -> argparse.ArgumentParser:
  parser = argparse.ArgumentParser(
    prog='python -m takin_jax.eval', description='Measures weights.'
  )
  commands = parser.add_subparsers(dest='command', required=True)
  for name, module in COMMANDS.items():
    sub = commands.add_parser(
      name, help=module.HELP, description=module.__doc__
    )
    sub.add_argument('--weights', default='nano', metavar='NAME|DIR')
    _add_shared(sub, required=True, records=name != 'emotion')
    module.add_arguments(sub)
  sub = commands.add_parser('card', help=card.HELP, description=card.__doc__)
  sub.add_argument('--weights', default='nano', metavar='NAME|DIR')
  _add_shared(sub, required=True, records=True)
  card.add_arguments(sub)
  sub = commands.add_parser(
    'compare', help=compare.HELP, description=compare.__doc__
  )
  sub.add_argument('folders', nargs='+', metavar='DIR|WEIGHTS')
  sub.add_argument(
    '--table', type=int, choices=paper.TABLES, help='as in the paper'
  )
  _add_shared(sub, required=False, records=True)
  self_reenactment.add_arguments(sub)
  return parser


def _add_shared(
  sub: argparse.ArgumentParser, required: bool, records: bool
) -> None:
  add = sub.add_argument
  add('--out', required=required, metavar='DIR')
  add('--landmarker', metavar='FILE', help='face_landmarker.task')
  add('--device', default='auto', help='auto, cpu, gpu, tpu or e.g. gpu:1')
  if records:
    add('--records', required=required, metavar='DIR')
    add('--split', default='val', help='whose clips')
    add('--clips', nargs='+', metavar='ID', help='only these')


@command('takin_jax.eval')
def main(argv: Sequence[str] | None = None) -> int:
  """Command line; returns the exit code."""
  args = _parser().parse_args(argv)
  own = {'compare': _compared, 'card': _carded}
  print(own.get(args.command, _measured)(args))
  return 0


def _measured(args: argparse.Namespace) -> str:
  """Writes a report and returns it as Markdown."""
  if args.landmarker:  # portraits are cropped with it, too
    os.environ[MODEL_ENV] = args.landmarker
  with landmarker(args.landmarker) as net:
    try:
      Path(args.out).mkdir(parents=True, exist_ok=True)
    except OSError as error:
      raise InputError(f'{args.out} cannot be made: {error}.') from None
    compilation.enable_cache()
    candidate = open_candidate(args.weights, args.device)
    judge = LandmarkJudge(net)
    report = COMMANDS[args.command].run(args, candidate, judge)
  report.write(args.out)
  return report.markdown()


def _carded(args: argparse.Namespace) -> str:
  """Runs every part of the card, and returns it as Markdown."""
  failed, parser = {}, _parser()
  lines = {name: card.commands(args, name) for name in card.names(args)}
  for name, parts in lines.items():
    for part, line in parts.items():
      print(f'takin_jax.eval: {name}: {part}', file=sys.stderr)
      try:
        _measured(parser.parse_args(line))
      except InputError as error:  # some weights cannot do everything
        failed[f'{name}/{part}'] = str(error)
  if len(failed) == sum(map(len, lines.values())):
    raise InputError(next(iter(failed.values())))
  return card.write(args, failed)


def _compared(args: argparse.Namespace) -> str:
  """Measures what is not measured yet, and returns one table."""
  folders = []
  for folder in args.folders:
    if compare.is_weights(folder):
      if args.out is None or args.records is None:
        raise InputError(
          f'{folder} is weights: give --records and --out to measure them.'
        )
      out = Path(args.out) / Path(folder).name
      if str(out) in folders:
        raise InputError(f'Two weights are named {out.name}: rename one.')
      given = {'command': 'self', 'weights': folder, 'out': str(out)}
      _measured(argparse.Namespace(**vars(args) | given))
      folder = str(out)
    folders.append(folder)
  if args.table is None:
    return compare.compare(folders)
  return paper.paper_table(args.table, folders)


if __name__ == '__main__':
  sys.exit(main())
