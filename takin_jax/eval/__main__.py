"""python -m takin_jax.eval {self,cross,audio,probe,emotion} --out DIR: the figures.

Every subcommand writes report.json, report.md and sheet.png into DIR and
prints the tables. MediaPipe (extra `data`) judges the frames that were made.
`compare DIR...` prints the figures of reports or training runs side by side.
"""

import argparse
from collections.abc import Sequence
import os
from pathlib import Path
import sys

from takin_jax import compilation
from takin_jax.data.faces import landmarker
from takin_jax.data.faces.landmarks import MODEL_ENV
from takin_jax.data.media import MediaError
from takin_jax.data.records import RecordsError
from takin_jax.eval import (
  compare,
  cross_reenactment,
  emotion,
  probe,
  self_reenactment,
  speech,
)
from takin_jax.eval.candidate import open_candidate
from takin_jax.eval.judge import LandmarkJudge
from takin_jax.infer.errors import InputError
from takin_jax.weights import WeightsError

COMMANDS = {
  'self': self_reenactment,
  'cross': cross_reenactment,
  'audio': speech,
  'probe': probe,
  'emotion': emotion,
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
    add = sub.add_argument
    add('--weights', default='nano', metavar='NAME|DIR')
    add('--out', required=True, metavar='DIR')
    add('--landmarker', metavar='FILE', help='face_landmarker.task')
    add('--device', default='auto', help='auto, cpu, gpu, tpu or e.g. gpu:1')
    if name != 'emotion':
      add('--records', required=True, metavar='DIR')
      add('--split', default='val', help='whose clips')
      add('--clips', nargs='+', metavar='ID', help='only these')
    module.add_arguments(sub)
  sub = commands.add_parser(
    'compare', help=compare.HELP, description=compare.__doc__
  )
  sub.add_argument('folders', nargs='+', metavar='DIR')
  return parser


def main(argv: Sequence[str] | None = None) -> int:
  """Command line; returns the exit code."""
  args = _parser().parse_args(argv)
  try:
    if args.command == 'compare':
      print(compare.compare(args.folders))
      return 0
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
  except (InputError, MediaError, RecordsError, WeightsError) as error:
    print(f'takin_jax.eval: {error}', file=sys.stderr)
    return 2
  report.write(args.out)
  print(report.markdown())
  return 0


if __name__ == '__main__':
  sys.exit(main())
