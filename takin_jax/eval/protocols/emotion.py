"""`emotion`: does a named emotion show in the right blendshapes?

Portraits say one sentence with every emotion. MediaPipe's blendshapes of the
output, averaged over the frames, are compared with those of the neutral one,
and so is the likeness to the portrait: an emotion must not make somebody else.
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
from takin_jax.eval.cache import Arrays, Cache, digest
from takin_jax.eval.judge import Judge, Readings
from takin_jax.eval.metrics import confusion, figures, nets
from takin_jax.eval.protocols import clips as clips_lib
from takin_jax.eval.protocols.candidate import Candidate, speak
from takin_jax.eval.report import Report, Row, Table, sheet
from takin_jax.face import SAMPLE_RATE_HZ
from takin_jax.infer.engine import Engine
from takin_jax.infer.inputs.examples import EXAMPLE_SPEECH

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
  add('--speech', metavar='FILE', default=str(EXAMPLE_SPEECH))
  add('--seconds', type=float, default=4.0, help='of the speech')
  add('--emotions', nargs='+', default=list(_ASKED), metavar='NAME')
  add('--margin', type=float, default=0.05, help='a sign must rise by this')
  add('--every', type=int, default=3, help='looks at each so-manieth frame')
  add('--moments', type=int, default=1, help='rows of a portrait in the sheet')
  add('--seeds', type=int, default=1, help='takes of every portrait')
  nets.add_arguments(parser, inception=False)


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
  engine = candidate.engine
  portraits = _portraits(args, engine.size_px)
  sound = media.read_audio(args.speech)[: int(args.seconds * SAMPLE_RATE_HZ)]
  rest = candidate.emotion(NEUTRAL if NEUTRAL in known else None)
  vectors = {NEUTRAL: rest} | {n: candidate.emotion(n) for n in emotions}
  seen_by = nets.open_nets(args)
  settings = {
    key: getattr(args, key)
    for key in ('weights', 'speech', 'seconds', 'every', 'moments', 'seeds')
  } | seen_by.settings
  cache = Cache(
    args.out, command='emotion', digest=candidate.digest, settings=settings
  )
  shapes: dict[str, dict[str, Row]] = {}
  likeness: dict[str, dict[str, float]] = {}
  pictures = []
  total = len(portraits) * len(vectors)
  bar = tqdm.tqdm(total=total, unit='take', disable=None)
  for portrait, image in portraits.items():
    column = [[image] * args.moments]
    shapes[portrait], likeness[portrait] = {}, {}
    stage = _Stage(args, candidate, engine, judge, seen_by, image, sound)
    for name, vector in vectors.items():
      key = f'{portrait}-{name}-{digest(image, sound)}'
      found = cache(key, lambda v=vector, on=stage: on.make(v))
      shapes[portrait][name] = dict(
        zip(found['names'].tolist(), found['shapes'].tolist(), strict=True)
      )
      if 'csim' in found:
        likeness[portrait][name] = figures.mean(found['csim'])
      column.append(found['pictures'])
      bar.update()
    pictures += zip(*column, strict=True)
  bar.close()
  changes = {
    portrait: {name: minus(seen[name], seen[NEUTRAL]) for name in emotions}
    for portrait, seen in shapes.items()
  }
  return Report(
    command='emotion',
    settings=settings | {'margin': args.margin, 'portraits': list(portraits)},
    tables=_tables(changes, likeness, emotions, args.margin),
    sheet=sheet(pictures, ['portrait', *vectors]),
    not_measured=seen_by.missing
    | {name: 'these weights do not know it' for name in absent},
    details={
      'minus neutral': changes,
      'neutral': {portrait: seen[NEUTRAL] for portrait, seen in shapes.items()},
    },
  )


class _Stage:
  """One portrait that says the sentence."""

  def __init__(
    self,
    args: argparse.Namespace,
    candidate: Candidate,
    engine: Engine,
    judge: Judge,
    seen_by: nets.Nets,
    portrait: np.ndarray,
    sound: np.ndarray,
  ):
    self._args, self._candidate, self._engine = args, candidate, engine
    self._judge, self._nets = judge, seen_by
    self._portrait, self._sound = portrait, sound

  def make(self, vector: np.ndarray | None) -> Arrays:
    """Blendshapes, likeness and pictures of all takes with an emotion."""
    args, engine = self._args, self._engine
    source = engine.encode_source(self._portrait)
    controls = self._candidate.controls
    made = [
      frame
      for seed in range(args.seeds)
      for frame in speak(
        engine, source, self._sound, controls, vector, seed, args.every
      )
    ]
    seen = self._judge(made)
    shapes = mean_shapes(seen)
    places = np.linspace(0, len(made), args.moments + 2)[1:-1]
    out = {
      'names': np.array(list(shapes), str),
      'shapes': np.array(list(shapes.values()), float),
      'pictures': np.stack([made[int(place)] for place in places]),
    }
    if self._nets.face is not None:
      rest = self._judge([self._portrait])
      own = self._nets.face(self._portrait[None], rest.landmarks)[0]
      out['csim'] = self._nets.face(made, seen.landmarks) @ own
    return out


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
  likeness: Mapping[str, Mapping[str, float]],
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
    row = means | {'shows': f'{passed} of {len(portraits)}'}
    known = [likeness[portrait] for portrait in portraits]
    if all(known):
      row['csim'] = figures.mean([part[name] for part in known])
      losses = [part[NEUTRAL] - part[name] for part in known]
      row['csim_loss'] = float(np.nanmax(losses))
    return row

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
  rows = {name: row(name, everyone) for name in emotions}
  return {
    'summary': Table(
      f'{told} of {len(emotions)} emotions show on all of '
      f'{len(everyone)} portraits',
      rows,
      f'Blendshapes by MediaPipe minus those of the neutral output. An emotion '
      f'shows if one of its signs rises by {margin} or more ({signs}). CSIM: '
      'to the portrait; worst loss: that of the neutral output minus it, on '
      'the portrait where it is largest.',
    ),
    'overall': Table(
      'All emotions and portraits',
      {'all emotions': _overall(changes, emotions, rows, told, margin)},
      'Told: emotions that show on all portraits; nearest: share of outputs '
      'whose nearest pattern is the one that was asked for.',
    ),
    'confusion': confusion.table(
      changes, emotions, _patterns(emotions), margin
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


def _patterns(emotions: list[str]) -> dict[str, tuple[str, ...]]:
  """The signs of those emotions that have any."""
  return {name: SIGNS[name] for name in map(_name, emotions) if name in SIGNS}


def _overall(
  changes: Mapping[str, Mapping[str, Mapping[str, float]]],
  emotions: list[str],
  rows: Mapping[str, Row],
  told: int,
  margin: float,
) -> Row:
  """One row for everything."""
  right = [
    confusion.nearest(part[name], _patterns(emotions), margin) == _name(name)
    for part in changes.values()
    for name in emotions
  ]
  out = {'told': told, 'asked': len(emotions), 'nearest': float(np.mean(right))}
  losses = [row['csim_loss'] for row in rows.values() if 'csim_loss' in row]
  return out | ({'csim_loss': float(np.nanmax(losses))} if losses else {})
