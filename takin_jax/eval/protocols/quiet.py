"""`quiet`: where nothing moves, a still picture must not be better.

The quietest second of each clip drives its own first frame; picture by picture
the output is held against the real frames, and so is the still source. Then the
source drives itself: nothing at all moves.
"""

import argparse

import numpy as np
import tqdm

from takin_jax.eval.cache import Arrays, Cache
from takin_jax.eval.metrics import figures, stillness
from takin_jax.eval.protocols import clips as clips_lib
from takin_jax.eval.protocols.candidate import Candidate, drive
from takin_jax.eval.report import Report, Row, Table, sheet
from takin_jax.infer.engine import Engine

HELP = 'seconds in which nothing moves, against a still picture'
ROWS = {
  'made': 'output',
  'copy': 'copy of the source',
  'frozen': 'output, the source drives itself',
}
_EVERY = 6  # frames between those that are compared


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Options of this subcommand."""
  add = parser.add_argument
  add('--count', type=int, default=6, help='of clips, the quietest')
  add('--frames', type=int, default=25, help='consecutive, of every clip')


def run(args: argparse.Namespace, candidate: Candidate, judge) -> Report:
  """Makes the frames and measures them."""
  del judge  # nothing but the pictures counts
  engine = candidate.engine
  clips = clips_lib.load(args.records, engine.size_px, args.split, args.clips)
  spans = {clip.id: quietest(clip, args.frames) for clip in clips}
  clips = sorted(clips, key=lambda clip: spans[clip.id][1])
  clips = clips_lib.people_first(clips)[: args.count]
  settings = {'weights': args.weights, 'frames': args.frames}
  cache = Cache(
    args.out, command='quiet', digest=candidate.digest, settings=settings
  )
  found = {}
  for clip in tqdm.tqdm(clips, unit='clip', disable=None):

    def make(clip=clip) -> Arrays:
      first = spans[clip.id][0]
      last = min(first + args.frames, len(clip.geo.frames['x']))
      return look(engine, candidate, clip.images(range(first, last)))

    found[clip.id] = cache(clip.key, make)
  missing = figures.lpips_missing()
  return Report(
    command='quiet',
    settings=settings | {'clips': list(found)},
    tables=_tables(found),
    sheet=sheet(
      [part['pictures'] for part in found.values()],
      ['source', 'real', 'output', 'difference x 4', 'frozen'],
    ),
    not_measured={'LPIPS': missing} if missing else {},
  )


def quietest(clip: clips_lib.Clip, frames: int) -> tuple[int, float]:
  """Where the keypoints leave their place least.

  Returns:
    The first frame, and the mean distance from it, in [-1, 1] units.
  """
  x = clip.geo.frames['x'][..., :2]
  starts = range(int(clip.found[0]), max(len(x) - frames, clip.found[0]) + 1)
  moves = [
    float(np.linalg.norm(x[i : i + frames] - x[i], axis=-1).mean())
    for i in starts
  ]
  best = int(np.argmin(moves))
  return starts[best], moves[best]


def look(engine: Engine, candidate: Candidate, real: np.ndarray) -> Arrays:
  """Figures of each way for one span [T, H, H, 3]: WAY/FIGURE."""
  source = np.broadcast_to(real[0], real.shape)
  made = drive(engine, real[0], real, candidate.controls)
  frozen = drive(engine, real[0], source[:1], candidate.controls)
  some = np.arange(_EVERY, len(real), _EVERY)
  pairs = {
    'made': (made[some], real[some]),
    'copy': (source[some], real[some]),
    'frozen': (frozen, source[:1]),
  }
  out = {}
  for way, (images, truth) in pairs.items():
    out[f'{way}/psnr'] = figures.psnr(images, truth)
    if figures.lpips_missing() is None:
      out[f'{way}/lpips'] = figures.lpips(images, truth)
  out['made/still_moved'] = stillness.moved_share(made, real)
  out['frozen/still_moved'] = stillness.moved_share(frozen, source[:1])
  middle = len(real) // 2
  difference = 4 * abs(made[middle].astype(int) - real[middle])
  pictures = [real[0], real[middle], made[middle], difference.clip(0, 255)]
  return out | {'pictures': np.stack([*pictures, frozen[0]]).astype(np.uint8)}


def _row(parts: list[Arrays], way: str) -> Row:
  names = ('lpips', 'psnr', 'still_moved')
  return {
    name: figures.mean(
      np.concatenate([part[f'{way}/{name}'] for part in parts])
    )
    for name in names
    if f'{way}/{name}' in parts[0]
  }


def _tables(found: dict[str, Arrays]) -> dict[str, Table]:
  parts = list(found.values())
  rows = {label: _row(parts, way) for way, label in ROWS.items()}
  made, copy = (rows[ROWS[way]] for way in ('made', 'copy'))
  if 'lpips' in made:
    made['over_copy'] = float(figures.ratio(made['lpips'], copy['lpips']))
  clips = {
    f'{name}, {ROWS[way]}': _row([part], way)
    for name, part in found.items()
    for way in ('made', 'copy')
  }
  return {
    'summary': Table(
      f'{len(found)} quiet spans',
      rows,
      'Against the real frames; in the last row against the source, of which '
      'nothing may change. Still pixels: see `replay`.',
    ),
    'clips': Table('Clip by clip', clips),
  }
