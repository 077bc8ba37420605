"""Options of the commands that make videos, and what the library calls them."""

import argparse
from collections.abc import Sequence
import re

from takin_jax.errors import InputError

# Argument of `takin_jax` -> option.
OPTIONS = {
  'blinks_per_minute': '--blinks',
  'chunk_ms': '--chunk',
  'config': '--config',
  'crop': '--crop',
  'device': '--device',
  'driving_crop': '--driving-crop',
  'dtype': '--dtype',
  'emotion': '--emotion',
  'emotion_from': '--emotion-from',
  'guidance': '--guidance',
  'look_ahead_ms': '--look-ahead',
  'output': '--output',
  'portrait': '--source',
  'seed': '--seed',
  'speech': '--audio',
  'steps': '--steps',
  'video': '--driving',
}


def add_options(parser: argparse.ArgumentParser) -> None:
  """Adds all of them to a parser."""
  _add_input(parser)
  _add_emotion(parser)
  _add_motion(parser)
  _add_live(parser)
  add = parser.add_argument
  add('--weights', metavar='DIR|NAME', default='nano')
  add('--config', metavar='FILE', help='config the weights must belong to')
  add('--dtype', default='float32', choices=('float32', 'bfloat16'))
  add('--device', default='auto', help='auto, cpu, gpu, tpu or e.g. gpu:1')
  add('--benchmark', action='store_true', help='measure; no video is made')
  add('--verbose', action='store_true', help='times and versions')


def check_wishes(args: argparse.Namespace) -> None:
  """Raises InputError for options that do not go together."""
  if (args.stream or args.realtime) and args.driving is not None:
    raise InputError('--stream and --realtime take speech: leave -d out.')
  if args.stream and (args.audio is not None or args.realtime):
    raise InputError(
      '--stream reads the standard input: leave -a and --realtime out.'
    )


def with_crops_joined(argv: Sequence[str]) -> list[str]:
  """`--crop -10,0,300` as `--crop=-10,0,300`: argparse sees an option there."""
  joined: list[str] = []
  for text in argv:
    after_crop = joined and joined[-1] in ('--crop', '--driving-crop')
    if after_crop and re.fullmatch(r'-[\d.]+,.*', text):
      joined[-1] += f'={text}'
    else:
      joined.append(text)
  return joined


def _add_input(parser: argparse.ArgumentParser) -> None:
  add = parser.add_argument
  add('-s', '--source', metavar='IMAGE', help='portrait (default: astronaut)')
  driver = parser.add_mutually_exclusive_group()
  driver.add_argument('-a', '--audio', metavar='FILE', help='speech')
  driver.add_argument('-d', '--driving', metavar='VIDEO', help='moves it')
  add('-o', '--output', metavar='FILE', default='talking.mp4')
  crop = 'auto (the face), none (the whole picture) or x,y,size in pixels'
  add('--crop', default='auto', help=crop)
  add('--driving-crop', metavar='CROP', default='auto', help='as --crop')


def _add_emotion(parser: argparse.ArgumentParser) -> None:
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
  parser.add_argument(
    '--emotion-scale', type=_factor, default=1.0, help='its strength'
  )


def _add_motion(parser: argparse.ArgumentParser) -> None:
  add = parser.add_argument
  add('--steps', type=_count, help="of denoising (default: the weights' own)")
  add('--guidance', type=_factor, help='how strongly speech moves the face')
  add('--seed', type=int, help='of the motion; default: by the sound')
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


def _add_live(parser: argparse.ArgumentParser) -> None:
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
  ms = {'type': int, 'help': 'milliseconds, in steps of 40'}
  live.add_argument('--look-ahead', dest='look_ahead_ms', default=200, **ms)
  live.add_argument('--chunk', dest='chunk_ms', default=320, **ms)


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
