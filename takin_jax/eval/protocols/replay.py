"""`replay`: clips drive their own first frame, frame by frame.

The same path as `infer.py -d`. Asked is what single frames do not show: the
gaze, whether blinks close, whether what is still stays still, and how sharp the
mouth's inside is. Mouths and eyes are shown three times as large, real beside
made.
"""

import argparse
from collections.abc import Sequence

import numpy as np
import tqdm

from takin_jax.eval.cache import Arrays, Cache
from takin_jax.eval.judge import Judge, Readings, join, pack, unpack
from takin_jax.eval.metrics import eyes, figures, mouth, stillness
from takin_jax.eval.protocols import clips as clips_lib
from takin_jax.eval.protocols.candidate import Candidate, drive
from takin_jax.eval.report import Report, Row, Table, sheet
from takin_jax.face import FRAME_RATE_HZ

HELP = 'clips drive their own first frame'
_MOUTH, _EYES = 3 / 8, 7 / 16  # sides of the close-ups
_CELL_PX = 288


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Options of this subcommand."""
  add = parser.add_argument
  add('--count', type=int, default=12, help='of clips, people first')
  add('--seconds', type=float, default=3.0, help='of every clip')


def run(args: argparse.Namespace, candidate: Candidate, judge: Judge) -> Report:
  """Makes the frames and measures them."""
  engine = candidate.engine
  clips = clips_lib.load(args.records, engine.size_px, args.split, args.clips)
  if not args.clips:
    clips = clips_lib.people_first(clips)[: args.count]
  settings = {'weights': args.weights, 'seconds': args.seconds}
  cache = Cache(
    args.out, command='replay', digest=candidate.digest, settings=settings
  )
  frames = round(args.seconds * FRAME_RATE_HZ)
  found = {}
  for clip in tqdm.tqdm(clips, unit='clip', disable=None):

    def make(clip=clip) -> Arrays:
      first = int(clip.found[0])
      last = min(first + frames, len(clip.geo.frames['x']))
      driving = clip.images(range(first, last))
      made = drive(engine, driving[0], driving, candidate.controls)
      return look(driving, made, judge)

    found[clip.id] = cache(clip.key, make)
  parts = list(found.values())
  return Report(
    command='replay',
    settings=settings | {'clips': list(found)},
    tables=_tables(found),
    sheet=_closeups(parts, 'mouths', ('widest', 'half open', 'smile')),
    pictures={
      'eyes': _closeups(parts, 'eyes', ('lids closed', 'gaze left', 'right'))
    },
  )


def look(driving: np.ndarray, made: np.ndarray, judge: Judge) -> Arrays:
  """Everything that needs the pictures of a clip: [T, H, H, 3] uint8 each."""
  real, seen = judge(driving), judge(made)
  blinks = eyes.closures(real.lids)
  lashes = {
    key: [eyes.lash_contrast(images[i], part.landmarks[i]) for i in blinks]
    for key, images, part in (('real', driving, real), ('made', made, seen))
  }
  out = pack(real, 'real/') | pack(seen, 'made/')
  out |= {f'{key}/lashes': np.array(x, float) for key, x in lashes.items()}
  out['moved'] = stillness.moved_share(made, driving)
  for key, images in (('real', driving), ('made', made)):
    out[f'{key}/sharp'] = mouth.inside_sharpness(images, real.landmarks)
  half = np.nanmax(real.lips, initial=0) / 2
  shown = {
    'mouths': (real.lips, -abs(real.lips - half), real.smile),
    'eyes': (-real.lids, -real.gaze[:, 0], real.gaze[:, 0]),
  }
  return out | {
    name: _pairs(driving, made, real, name, [_highest(x) for x in curves])
    for name, curves in shown.items()
  }


def _highest(curve: np.ndarray) -> int:
  return int(np.argmax(np.nan_to_num(curve, nan=-np.inf)))


def _pairs(
  driving: np.ndarray,
  made: np.ndarray,
  real: Readings,
  name: str,
  frames: Sequence[int],
) -> np.ndarray:
  """Close-ups: the source, then real and made side by side."""
  points, side = {
    'mouths': (mouth.LIPS, _MOUTH),
    'eyes': (mouth.EYES, _EYES),
  }[name]
  pictures = [(driving[0], 0)]
  pictures += [(images[i], i) for i in frames for images in (driving, made)]
  return np.stack(
    [mouth.closeup(x, real.landmarks[i], points, side) for x, i in pictures]
  )


def _closeups(
  found: Sequence[Arrays], name: str, moments: Sequence[str]
) -> np.ndarray:
  headings = [x for moment in moments for x in (f'real: {moment}', 'made')]
  return sheet([part[name] for part in found], ['source', *headings], _CELL_PX)


def figures_of(parts: Sequence[Arrays]) -> Row:
  """Figures of some clips together; curves within each."""
  real, seen = (
    [unpack(part, f'{key}/') for part in parts] for key in ('real', 'made')
  )
  clip = np.repeat(np.arange(len(real)), [len(x.lips) for x in real])
  out, made = {}, join(seen).curves
  for name, curve in join(real).curves.items():
    pair = figures.follow(curve, made[name], clip)
    out |= {f'{name}_{key}': value for key, value in pair.items()}
  sharp = [
    np.concatenate([part[f'{key}/sharp'] for part in parts])
    for key in ('made', 'real')
  ]
  known = np.isfinite(sharp[1])
  out['inside_sharpness'] = float(
    figures.ratio(*(x[known].sum() for x in sharp))
  )
  moved = [part['moved'] for part in parts]
  out['still_moved'] = figures.mean(np.concatenate(moved))
  return out | _blinks(parts, real, seen)


def _blinks(
  parts: Sequence[Arrays], real: list[Readings], seen: list[Readings]
) -> Row:
  """How far lids close when the real ones do, and the line of the lashes."""
  frames = [eyes.closures(x.lids) for x in real]
  depths = [
    figures.mean(
      np.concatenate(
        [eyes.depth(x.lids, i) for x, i in zip(readings, frames, strict=True)]
      )
    )
    for readings in (seen, real)
  ]
  lashes = [
    figures.mean(np.concatenate([part[f'{key}/lashes'] for part in parts]))
    for key in ('made', 'real')
  ]
  return {
    'blinks': sum(map(len, frames)),
    'blink_depth': depths[0],
    'blink_depth_real': depths[1],
    'blink_ratio': float(figures.ratio(*depths)),
    'lashes': lashes[0],
    'lashes_real': lashes[1],
  }


def _tables(found: dict[str, Arrays]) -> dict[str, Table]:
  parts = list(found.values())
  return {
    'summary': Table(
      f'{len(found)} clips that drive their own first frame',
      {'all clips': figures_of(parts)},
      'r and gain by MediaPipe against the driving frames, within clips; gaze: '
      'irises along the line of the eye corners. Sharpness: variance of the '
      'Laplacian between the inner lips, over the real one. Still pixels: '
      f'never differ by over 8 levels in the driving clip; share that differs '
      f'by over {stillness.MOVED} in the output, mean over frames. Closing: 1 '
      '- lid gap over the usual one at the blinks of the real clips (a line '
      'of lashes is read as a gap); lashes: how much darker than the skin the '
      'line between the lids is then.',
    ),
    'clips': Table(
      'Clip by clip', {name: figures_of([part]) for name, part in found.items()}
    ),
  }
