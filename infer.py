"""Makes a portrait talk: python infer.py -s PORTRAIT -a SPEECH -o VIDEO.

Without arguments: a default portrait says a default sentence in talking.mp4.
"""

import argparse
from collections.abc import Sequence
import logging
import os
import sys


def _parser() -> argparse.ArgumentParser:
  parser = _Parser(
    prog='infer.py', description='Makes a portrait talk, or move like a video.'
  )
  add = parser.add_argument
  add('-s', '--source', metavar='IMAGE', help='portrait (default: astronaut)')
  driver = parser.add_mutually_exclusive_group()
  driver.add_argument('-a', '--audio', metavar='FILE', help='speech')
  driver.add_argument('-d', '--driving', metavar='VIDEO', help='moves it')
  add('-o', '--output', metavar='FILE', default='talking.mp4')
  emotion = parser.add_mutually_exclusive_group()
  emotion.add_argument(
    '--emotion',
    metavar='NAME[:scale]',
    help='e.g. happy or sad:0.5; 0:neutral,2.5:happy:1.5 changes after 2.5 s; '
    'auto: from the speech, with weights that can',
  )
  emotion.add_argument(
    '--emotion-from', metavar='FILE', help='a face in a picture or video'
  )
  add('--emotion-scale', type=_factor, default=1.0, help='its strength')
  add('--steps', type=_count, help="of denoising (default: the weights' own)")
  add('--guidance', type=_factor, help='how strongly speech moves the face')
  add('--seed', type=int, default=0, help='of the motion')
  add('--pose-scale', type=_factor, default=1.0, help='head movement')
  add('--motion-scale', type=_factor, default=1.0, help='expression')
  add('--blinks', metavar='N', type=_factor, help='a minute; 0: none')
  relative = parser.add_mutually_exclusive_group()
  relative.add_argument(
    '--relative',
    action='store_true',
    default=True,
    help='the changes of the driving video move the portrait (default)',
  )
  relative.add_argument(
    '--absolute',
    dest='relative',
    action='store_false',
    help='the portrait takes the driving expression and pose as they are',
  )
  crop = 'auto (the face), none (the whole picture) or x,y,size in pixels'
  add('--crop', default='auto', help=crop)
  add('--driving-crop', metavar='CROP', default='auto', help='as --crop')
  add('--weights', metavar='DIR|NAME', default='nano')
  add('--config', metavar='FILE', help='config the weights must belong to')
  add('--dtype', default='float32', choices=('float32', 'bfloat16'))
  add('--device', default='auto', help='auto, cpu, gpu, tpu or e.g. gpu:1')
  live = parser.add_argument_group('live')
  live.add_argument(
    '--stream',
    action='store_true',
    help='speech is 16 kHz s16le or WAV on the standard input; frames are '
    'written while it is spoken: -o x.mp4, x.ts, x.rgb or - (MPEG-TS)',
  )
  live.add_argument(
    '--realtime',
    action='store_true',
    help='the same with a file (-a) at the speed of speech; late frames are '
    'reported',
  )
  ms = 'milliseconds, in steps of 40'
  live.add_argument(
    '--look-ahead', dest='look_ahead_ms', type=_ms, default=200, help=ms
  )
  live.add_argument('--chunk', dest='chunk_ms', type=_ms, default=320, help=ms)
  add('--benchmark', action='store_true', help='measure; no video is made')
  add('--verbose', action='store_true', help='times and versions')
  return parser


class _Parser(argparse.ArgumentParser):
  """Says in one sentence what is wrong with the arguments."""

  def error(self, message: str):
    self.exit(2, f'{self.prog}: {message}; see --help.\n')


def _factor(text: str) -> float:
  value = float(text)
  if not 0 <= value <= 100:
    raise argparse.ArgumentTypeError(f'{text} is not between 0 and 100')
  return value


def _count(text: str) -> int:
  value = int(text)
  if value < 1:
    raise argparse.ArgumentTypeError(f'{text} is not 1 or more')
  return value


def _ms(text: str) -> int:
  value = int(text)
  if not 0 <= value <= 5000 or value % 40:
    raise argparse.ArgumentTypeError(
      f'{text} is not a multiple of 40 from 0 to 5000'
    )
  return value


def main(argv: Sequence[str] | None = None) -> int:
  """Command line; returns the exit code."""
  args = _parser().parse_args(argv)
  if args.device == 'cpu':
    os.environ.setdefault('JAX_PLATFORMS', 'cpu')
  # Only now: --help and wrong arguments need not wait for JAX.
  from takin_jax.data.media import MediaError
  from takin_jax.errors import InputError
  from takin_jax.infer import animate, benchmark, live
  from takin_jax.weights import WeightsError

  def note(text: object) -> None:
    print(text, file=sys.stderr)

  notes = logging.getLogger('takin_jax')
  if not notes.handlers:
    notes.addHandler(logging.StreamHandler())
  job = animate.Job(**vars(args))
  try:
    if job.benchmark:
      print(benchmark.measure(job, note))
    elif job.stream or job.realtime:
      note(live.speak(job, note))  # the standard output may be the video
    else:
      print(animate.animate(job, note))
  except (InputError, MediaError, WeightsError) as error:
    text = str(error)
    if isinstance(error, InputError) and error.argument:
      option = error.argument.replace('_', '-')
      text = f'--{option}: {error.sentence}'
    print(f'infer.py: {text}', file=sys.stderr)
    return 2
  except KeyboardInterrupt:
    print('infer.py: interrupted, nothing was written.', file=sys.stderr)
    return 130
  return 0


if __name__ == '__main__':
  sys.exit(main())
