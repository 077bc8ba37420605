"""`cross`: clips drive the portraits of other people.

The same path as `infer.py -d`: the changes since the clip's first frame move
the portrait.
"""

import argparse
import dataclasses

import numpy as np
import tqdm

from takin_jax.eval.cache import Arrays, Cache, digest
from takin_jax.eval.judge import Judge, Readings, join, pack, unpack
from takin_jax.eval.metrics import face_metrics, figures, nets
from takin_jax.eval.protocols import clips as clips_lib
from takin_jax.eval.protocols.candidate import Candidate, drive
from takin_jax.eval.report import Report, Row, Table, sheet

HELP = "clips drive other people's portraits"
_SHOWN = (0.25, 0.5, 0.75)


@dataclasses.dataclass(frozen=True)
class Pair:
  """A clip on a portrait.

  Attributes:
    want: the driving frames' faces.
    got: the output's.
    row: its figures.
    pictures: [1 + 2n, H, H, 3] portrait, then driving frames and outputs.
  """

  want: Readings
  got: Readings
  row: Row
  pictures: np.ndarray


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Options of this subcommand."""
  add = parser.add_argument
  add('--portraits', required=True, metavar='FOLDER')
  add('--names', nargs='+', metavar='FILE', help='of portraits')
  add('--count', type=int, default=5, help='of portraits')
  add('--clip-count', type=int, default=3, help='of clips')
  add('--min-seconds', type=float, default=0.0, help='no shorter clips')
  add('--frames', type=int, default=60, help='per clip, evenly spaced')
  nets.add_arguments(parser, inception=False)


def run(args: argparse.Namespace, candidate: Candidate, judge: Judge) -> Report:
  """Makes the frames and measures them."""
  engine = candidate.engine
  clips = clips_lib.load(args.records, engine.size_px, args.split, args.clips)
  if not args.clips:
    clips = clips_lib.longer(clips, args.min_seconds)
    clips = clips_lib.liveliest(clips, args.clip_count)
  portraits = clips_lib.load_portraits(
    args.portraits, args.count, engine.size_px, args.names
  )
  seen_by = nets.open_nets(args)
  settings = {'weights': args.weights, 'frames': args.frames}
  settings |= seen_by.settings
  cache = Cache(
    args.out, command='cross', digest=candidate.digest, settings=settings
  )
  pairs = {}
  bar = tqdm.tqdm(total=len(clips) * len(portraits), unit='pair', disable=None)
  for clip in clips:
    driving = clip.images(clip.even(args.frames))
    want = cache(f'{clip.key}-driving', lambda d=driving: pack(judge(d)))
    for name, portrait in portraits.items():

      def make(driving=driving, portrait=portrait) -> Arrays:
        made = drive(engine, portrait, driving, candidate.controls)
        return _look(portrait, driving, made, judge, seen_by)

      found = cache(f'{clip.key}-{name}-{digest(portrait)}', make)
      pairs[f'{clip.id} on {name}'] = _pair(unpack(want), found)
      bar.update()
  bar.close()
  return Report(
    command='cross',
    settings=settings
    | {'clips': [clip.id for clip in clips], 'portraits': list(portraits)},
    tables=_tables(pairs, len(clips), _strangers(seen_by, judge, portraits)),
    sheet=sheet(
      [pair.pictures for pair in pairs.values()],
      ['portrait', *['driving', 'output'] * len(_SHOWN)],
    ),
    not_measured=seen_by.missing,
  )


def _look(
  portrait: np.ndarray,
  driving: np.ndarray,
  made: np.ndarray,
  judge: Judge,
  seen_by: nets.Nets,
) -> Arrays:
  """Everything that is measured of one pair."""
  got, rest = judge(made), judge([portrait])
  out = pack(got)
  sharp = face_metrics.sharpness(made, got)
  rest_sharp = face_metrics.sharpness(portrait[None], rest)
  out['sharpness'] = figures.ratio(sharp, rest_sharp)
  if seen_by.face is not None:
    faces = seen_by.face(made, got.landmarks)
    out['csim'] = faces @ seen_by.face(portrait[None], rest.landmarks)[0]
  if figures.lpips_missing() is None:
    source = np.broadcast_to(portrait, made.shape)
    out['lpips'] = figures.lpips(made, source)
  shown = [int(f * len(driving)) for f in _SHOWN]
  pictures = [image for i in shown for image in (driving[i], made[i])]
  return out | {'pictures': np.stack([portrait, *pictures])}


def _pair(want: Readings, found: Arrays) -> Pair:
  got = unpack(found)
  names = (k for k in ('csim', 'lpips', 'sharpness') if k in found)
  row = _moves(want, got) | {k: figures.mean(found[k]) for k in names}
  return Pair(want, got, row, found['pictures'])


def _moves(
  want: Readings, got: Readings, clip: np.ndarray | None = None
) -> Row:
  out = {}
  made = got.curves
  for name, curve in want.curves.items():
    found = figures.follow(curve, made[name], clip)
    out |= {f'{name}_{key}': value for key, value in found.items()}
  return out | {'found': float(got.found.mean())}


def _tables(
  pairs: dict[str, Pair], clip_count: int, strangers: Row
) -> dict[str, Table]:
  rows = {name: pair.row for name, pair in pairs.items()}
  want, got = (
    join([getattr(p, k) for p in pairs.values()]) for k in ('want', 'got')
  )
  lengths = [len(pair.want.lips) for pair in pairs.values()]
  clip = np.repeat(np.arange(len(pairs)), lengths)
  first = next(iter(rows.values()))
  still = {'lips_gain': 0.0, 'lids_gain': 0.0, 'yaw_gain': 0.0}
  copied = {'csim': 1.0, 'lpips': 0.0, 'sharpness': 1.0}
  summary = {
    'mean over pairs': {
      key: figures.mean([row[key] for row in rows.values()]) for key in first
    },
    'all frames': _moves(want, got, clip),
    'copy of the portrait': still
    | {k: copied[k] for k in copied if k in first},
    'driving clips themselves': _moves(want, want, clip),
  }
  if strangers:
    summary['another portrait'] = strangers
  return {
    'summary': Table(
      f'{clip_count} clips on {len(pairs) // clip_count} portraits',
      summary,
      'Openings by MediaPipe on the output against the driving clip; gain: '
      'slope, 1 is ideal. All frames: one slope for deviations from the mean '
      'of each pair. CSIM, LPIPS and sharpness are to the portrait.',
    ),
    'pairs': Table('Pair by pair', rows),
  }


def _strangers(
  seen_by: nets.Nets, judge: Judge, portraits: dict[str, np.ndarray]
) -> Row:
  """Figures between different portraits: what another person would get."""
  images = np.stack(list(portraits.values()))
  a, b = np.triu_indices(len(images), 1)
  out = {}
  if len(a) and seen_by.face is not None:
    faces = seen_by.face(images, judge(images).landmarks)
    out['csim'] = figures.mean((faces[a] * faces[b]).sum(-1))
  if len(a) and figures.lpips_missing() is None:
    out['lpips'] = figures.mean(figures.lpips(images[a], images[b]))
  return out
