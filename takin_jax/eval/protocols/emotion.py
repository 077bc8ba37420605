"""`emotion`: does a named emotion show in the right blendshapes?

Portraits say one sentence with every emotion. MediaPipe's blendshapes of the
output, averaged over the frames, are compared with those of the neutral one.
The contact sheet shows the emotions side by side, at some moments.
"""

import argparse
from collections.abc import Mapping

import numpy as np
import skimage.data
import tqdm

from takin_jax.data import media
from takin_jax.data.faces import crop_image, find_crop
from takin_jax.data.faces.blendshapes import NEUTRAL, SIGNS, both_sides
from takin_jax.errors import InputError
from takin_jax.eval.judge import Judge, Readings
from takin_jax.eval.metrics import confusion, figures
from takin_jax.eval.protocols import clips as clips_lib
from takin_jax.eval.protocols.candidate import Candidate, speak
from takin_jax.eval.report import Report, Row, Table, sheet
from takin_jax.face import SAMPLE_RATE_HZ
from takin_jax.infer.animate import DEFAULT_SPEECH

HELP = 'named emotions on portraits'
_ASKED = ('happy', 'sad', 'angry', 'surprised', 'disgusted', 'fear')
_SHOWN = tuple(
  dict.fromkeys(sign for signs in SIGNS.values() for sign in signs)
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Options of this subcommand."""
  add = parser.add_argument
  add('--portraits', metavar='FOLDER', help='default: the astronaut')
  add('--names', nargs='+', metavar='FILE', help='of portraits')
  add('--count', type=int, default=3, help='of portraits')
  add('--speech', metavar='FILE', default=str(DEFAULT_SPEECH))
  add('--seconds', type=float, default=4.0, help='of the speech')
  add('--emotions', nargs='+', default=list(_ASKED), metavar='NAME')
  add('--margin', type=float, default=0.05, help='a sign must rise by this')
  add('--every', type=int, default=3, help='looks at each so-manieth frame')
  add('--moments', type=int, default=1, help='rows of a portrait in the sheet')
  add('--seeds', type=int, default=1, help='takes of every portrait')


def run(args: argparse.Namespace, candidate: Candidate, judge: Judge) -> Report:
  """Makes the takes and measures them."""
  known = candidate.params.get('emotions', {})
  absent = [name for name in args.emotions if name.split(':')[0] not in known]
  emotions = [name for name in args.emotions if name not in absent]
  if not emotions:
    raise InputError(
      f'The weights {candidate.config.name!r} know none of the emotions '
      f'{", ".join(args.emotions)}.'
    )
  engine = candidate.engine(video=False)
  portraits = _portraits(args, engine.size_px)
  sound = media.read_audio(args.speech)[: int(args.seconds * SAMPLE_RATE_HZ)]
  rest = candidate.emotion(NEUTRAL if NEUTRAL in known else None)
  vectors = {NEUTRAL: rest} | {n: candidate.emotion(n) for n in emotions}
  shapes: dict[str, dict[str, Row]] = {}
  pictures = []
  total = len(portraits) * len(vectors)
  bar = tqdm.tqdm(total=total, unit='take', disable=None)
  for portrait, image in portraits.items():
    source, column = engine.source(image), [[image] * args.moments]
    shapes[portrait] = {}
    for name, vector in vectors.items():
      made = [
        frame
        for seed in range(args.seeds)
        for frame in speak(
          engine, source, sound, candidate.controls, vector, seed, args.every
        )
      ]
      shapes[portrait][name] = mean_shapes(judge(made))
      places = np.linspace(0, len(made), args.moments + 2)[1:-1]
      column.append([made[int(place)] for place in places])
      bar.update()
    pictures += zip(*column, strict=True)
  bar.close()
  changes = {
    portrait: {name: minus(seen[name], seen[NEUTRAL]) for name in emotions}
    for portrait, seen in shapes.items()
  }
  return Report(
    command='emotion',
    settings={
      'weights': args.weights,
      'portraits': list(portraits),
      'speech': args.speech,
      'seconds': args.seconds,
      'margin': args.margin,
      'seeds': args.seeds,
    },
    tables=_tables(changes, emotions, args.margin),
    sheet=sheet(pictures, ['portrait', *vectors]),
    not_measured={name: 'these weights do not know it' for name in absent},
    details={
      'minus neutral': changes,
      'neutral': {portrait: seen[NEUTRAL] for portrait, seen in shapes.items()},
    },
  )


def _portraits(args: argparse.Namespace, size_px: int) -> dict[str, np.ndarray]:
  """Those that were named, or infer.py's default."""
  if args.portraits:
    folder, names = args.portraits, args.names
    return clips_lib.load_portraits(folder, args.count, size_px, names)
  image = skimage.data.astronaut()
  return {'astronaut': crop_image(image, find_crop(image), size_px)}


def mean_shapes(seen: Readings) -> dict[str, float]:
  """Mean blendshapes over the frames; left and right are averaged."""
  if not seen.found.any():
    return {}
  shapes = both_sides(seen.names, seen.blendshapes[seen.found])
  return {name: float(values.mean()) for name, values in shapes.items()}


def minus(a: Mapping[str, float], b: Mapping[str, float]) -> dict[str, float]:
  """a - b for the blendshapes that both have."""
  return {name: a[name] - b[name] for name in a if name in b}


def shows(emotion: str, change: Mapping[str, float], margin: float) -> bool:
  """Whether at least one sign of an emotion rose by the margin."""
  signs = SIGNS.get(_name(emotion), ())
  return any(change.get(sign, 0.0) >= margin for sign in signs)


def _name(emotion: str) -> str:
  """`NAME` of `NAME[:scale]`."""
  return emotion.split(':')[0]


def _tables(
  changes: Mapping[str, Mapping[str, Mapping[str, float]]],
  emotions: list[str],
  margin: float,
) -> dict[str, Table]:
  def row(name: str, portraits: list[str]) -> Row:
    seen = [changes[portrait][name] for portrait in portraits]
    passed = sum(shows(name, change, margin) for change in seen)
    means = {
      sign: figures.mean([change.get(sign, np.nan) for change in seen])
      for sign in _SHOWN
    }
    return means | {'shows': f'{passed} of {len(portraits)}'}

  everyone = list(changes)
  told = sum(
    all(shows(name, changes[p][name], margin) for p in everyone)
    for name in emotions
  )
  signs = '; '.join(
    f'{name}: {" or ".join(SIGNS[name])}'
    for name in map(_name, emotions)
    if name in SIGNS
  )
  return {
    'summary': Table(
      f'{told} of {len(emotions)} emotions show on all of '
      f'{len(everyone)} portraits',
      {name: row(name, everyone) for name in emotions},
      f'Blendshapes by MediaPipe minus those of the neutral output. An emotion '
      f'shows if one of its signs rises by {margin} or more ({signs}).',
    ),
    'confusion': confusion.table(
      changes,
      emotions,
      {name: SIGNS[name] for name in map(_name, emotions) if name in SIGNS},
      margin,
    ),
    'portraits': Table(
      'Portrait by portrait',
      {
        f'{portrait}, {name}': row(name, [portrait])
        for portrait in everyone
        for name in emotions
      },
    ),
  }
