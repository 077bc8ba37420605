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
from takin_jax.data.faces.blendshapes import NEUTRAL, both_sides
from takin_jax.errors import InputError
from takin_jax.eval.cache import Arrays, Cache, digest
from takin_jax.eval.judge import Judge, Readings
from takin_jax.eval.metrics import figures, nets
from takin_jax.eval.protocols import clips as clips_lib
from takin_jax.eval.protocols.candidate import Candidate, speak
from takin_jax.eval.protocols.emotion_tables import minus, name_of, tables
from takin_jax.eval.report import Report, sheet
from takin_jax.face import SAMPLE_RATE_HZ
from takin_jax.infer.engine import Engine
from takin_jax.infer.inputs.examples import EXAMPLE_SPEECH

HELP = 'named emotions on portraits'
_ASKED = ('happy', 'sad', 'angry', 'surprised', 'disgusted', 'fear')


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
  emotions, absent = _asked(args, candidate)
  engine = candidate.engine
  portraits = _portraits(args, engine.size_px)
  sound = media.read_audio(args.speech)[: int(args.seconds * SAMPLE_RATE_HZ)]
  knows_rest = NEUTRAL in candidate.params['emotions']
  rest = candidate.emotion(NEUTRAL if knows_rest else None)
  vectors = {NEUTRAL: rest} | {n: candidate.emotion(n) for n in emotions}
  seen_by = nets.open_nets(args)
  settings = {
    key: getattr(args, key)
    for key in ('weights', 'speech', 'seconds', 'every', 'moments', 'seeds')
  } | seen_by.settings
  cache = Cache(
    args.out, command='emotion', digest=candidate.digest, settings=settings
  )
  stage = _Stage(args, candidate, engine, judge, seen_by, sound)
  takes = _takes(cache, stage, portraits, vectors, digest(sound))
  shapes = {
    portrait: {name: shapes_of(take) for name, take in by_name.items()}
    for portrait, by_name in takes.items()
  }
  likeness = {
    portrait: {
      name: figures.mean(take['csim'])
      for name, take in by_name.items()
      if 'csim' in take
    }
    for portrait, by_name in takes.items()
  }
  changes = {
    portrait: {name: minus(seen[name], seen[NEUTRAL]) for name in emotions}
    for portrait, seen in shapes.items()
  }
  return Report(
    command='emotion',
    settings=settings | {'margin': args.margin, 'portraits': list(portraits)},
    tables=tables(changes, likeness, emotions, args.margin),
    sheet=sheet(
      _pictures(takes, portraits, args.moments), ['portrait', *vectors]
    ),
    not_measured=seen_by.missing
    | {name: 'these weights do not know it' for name in absent},
    details={
      'minus neutral': changes,
      'neutral': {portrait: seen[NEUTRAL] for portrait, seen in shapes.items()},
    },
  )


def _asked(
  args: argparse.Namespace, candidate: Candidate
) -> tuple[list[str], list[str]]:
  """Emotions that the weights know, and those that they do not.

  Raises:
    InputError: if they know none.
  """
  known = candidate.params.get('emotions', {})
  absent = [name for name in args.emotions if name_of(name) not in known]
  emotions = [name for name in args.emotions if name not in absent]
  if not emotions:
    raise InputError(
      f'The weights {candidate.config.name!r} know none of the emotions '
      f'{", ".join(args.emotions)}.'
    )
  return emotions, absent


class _Stage:
  """What makes portraits say the sentence."""

  def __init__(
    self,
    args: argparse.Namespace,
    candidate: Candidate,
    engine: Engine,
    judge: Judge,
    seen_by: nets.Nets,
    sound: np.ndarray,
  ):
    self._args, self._candidate, self._engine = args, candidate, engine
    self._judge, self._nets, self._sound = judge, seen_by, sound

  def make(self, portrait: np.ndarray, vector: np.ndarray | None) -> Arrays:
    """Blendshapes, likeness and pictures of all takes with an emotion."""
    args, engine = self._args, self._engine
    source = engine.encode_source(portrait)
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
      rest = self._judge([portrait])
      own = self._nets.face(portrait[None], rest.landmarks)[0]
      out['csim'] = self._nets.face(made, seen.landmarks) @ own
    return out


def _takes(
  cache: Cache,
  stage: _Stage,
  portraits: Mapping[str, np.ndarray],
  vectors: Mapping[str, np.ndarray | None],
  sound: str,
) -> dict[str, dict[str, Arrays]]:
  """What was measured, by portrait and emotion; `sound` is its digest."""
  takes: dict[str, dict[str, Arrays]] = {name: {} for name in portraits}
  total = len(portraits) * len(vectors)
  bar = tqdm.tqdm(total=total, unit='take', disable=None)
  for portrait, image in portraits.items():
    for name, vector in vectors.items():
      takes[portrait][name] = cache(
        f'{portrait}-{name}-{digest(image)}-{sound}',
        lambda i=image, v=vector: stage.make(i, v),
      )
      bar.update()
  bar.close()
  return takes


def _pictures(
  takes: Mapping[str, Mapping[str, Arrays]],
  portraits: Mapping[str, np.ndarray],
  moments: int,
) -> list[tuple[np.ndarray, ...]]:
  """Rows of the sheet: the portrait and all outputs at one moment."""
  rows = []
  for portrait, by_name in takes.items():
    columns = [take['pictures'] for take in by_name.values()]
    rows += zip([portraits[portrait]] * moments, *columns, strict=True)
  return rows


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


def shapes_of(take: Arrays) -> dict[str, float]:
  """The mean blendshapes that were stored of a take."""
  names, values = (take[key].tolist() for key in ('names', 'shapes'))
  return dict(zip(names, values, strict=True))
