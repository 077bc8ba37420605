"""`self`: frames of a clip from another frame of the same clip.

Sets of frames of the held-out people: pairs far apart in time, for the
pictures' quality; frames with the mouth and the lids at their extremes, made
from the clip's most closed mouth, for what the face does; frames in a row, for
jitter; and two sources for the same driving frame, for what the output keeps
of the source's expression.
"""

import argparse

import numpy as np
import tqdm

from takin_jax.data.batches import frame_pairs
from takin_jax.eval.cache import Arrays, Cache
from takin_jax.eval.judge import Judge, Readings, join, unpack
from takin_jax.eval.metrics import face_metrics, figures, frechet, nets
from takin_jax.eval.protocols import clips as clips_lib
from takin_jax.eval.protocols.candidate import Candidate
from takin_jax.eval.protocols.reenact import GROUPS, ROWS, reenactor
from takin_jax.eval.protocols.self_measure import LEAKS, measure
from takin_jax.eval.report import Report, Row, Table, sheet

HELP = 'frames of a clip from another frame of the same clip'
_PICTURE = ('lpips', 'lpips_mouth', 'psnr', 'ssim', 'l1')


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Options of this subcommand."""
  add = parser.add_argument
  add('--count', type=int, metavar='N', help='of clips, people first')
  add('--min-seconds', type=float, default=0.0, help='no shorter clips')
  add('--frames', type=int, default=8, help='per clip, evenly spaced')
  add('--run', type=int, default=25, help='consecutive frames, for jitter')
  nets.add_arguments(parser)


def run(args: argparse.Namespace, candidate: Candidate, judge: Judge) -> Report:
  """Makes the frames and measures them."""
  candidate.need(*GROUPS)
  clips = clips_lib.load(
    args.records, candidate.size_px, args.split, args.clips
  )
  if not args.clips:
    clips = clips_lib.people_first(clips_lib.longer(clips, args.min_seconds))
    clips = clips[: args.count]
  reenact, seen_by = reenactor(candidate), nets.open_nets(args)
  settings = {'weights': args.weights, 'frames': args.frames, 'run': args.run}
  settings |= seen_by.settings
  cache = Cache(
    args.out, command='self', digest=candidate.digest, settings=settings
  )
  found = [
    cache(
      clip.key,
      lambda clip=clip: measure(
        clip, reenact, judge, seen_by, args.frames, args.run
      ),
    )
    for clip in tqdm.tqdm(clips, unit='clip', disable=None)
  ]
  clip_of = np.repeat(
    np.arange(len(found)), [len(part['moves/frame']) for part in found]
  )
  one = ['driving', 'own', 'landmarks']
  return Report(
    command='self',
    settings=settings | {'clips': [clip.id for clip in clips]},
    tables=_tables(found, clip_of),
    sheet=sheet([part['sheet'] for part in found], ['source', *one, *one]),
    not_measured=seen_by.missing,
    details={
      **{way: _seen(found, 'moves', way).curves for way in ROWS},
      'clip': clip_of,
      'frame': _all(found, 'moves/frame'),
    },
  )


def _all(found: list[Arrays], name: str) -> np.ndarray:
  """One array for all clips."""
  return np.concatenate([part[name] for part in found])


def _seen(found: list[Arrays], name: str, way: str) -> Readings:
  return join([unpack(part, f'{name}/{way}/') for part in found])


def _tables(found: list[Arrays], clip_of: np.ndarray) -> dict[str, Table]:
  even = _all(found, 'moves/even')
  pairs = len(_all(found, 'pairs/own/psnr'))
  every = np.ones_like(even)
  return {
    'pairs': Table(
      f'Picture: {pairs} pairs, source: first frame',
      {label: quality(found, way) for way, label in ROWS.items()},
      'Driving frames at '
      + ', '.join(f'{100 * f:.0f} %' for f in frame_pairs.EVAL_FRACTIONS)
      + ' of the clips; the mouth is a square of 3/8 of the side. CSIM and '
      f'sharpness are to the source; Frechet distances are of {pairs} pictures '
      'on either side: compare them only with such of equally many.',
    ),
    'moves': Table(
      f'Face: {len(every)} frames, source: most closed mouth',
      {
        label: moves(found, way, clip_of, every) | _pictures(found, way)
        for way, label in ROWS.items()
      },
      'Openings by MediaPipe on the output against the driving frame, '
      'within clips; gain: slope, 1 is ideal. Evenly spaced frames and those '
      'with lips and lids most open and most closed, but the source.',
    ),
    'moves_even': Table(
      'The same, evenly spaced frames only',
      {label: moves(found, way, clip_of, even) for way, label in ROWS.items()},
    ),
    'steadiness': Table(
      'Frames in a row, and two sources for one driving frame',
      {label: steadiness(found, way) for way, label in ROWS.items()},
      'Jitter: mean second difference of the landmarks, in thousandths of the '
      'face height, and over that of the real frames. Leakage: how much of the '
      "difference between the sources' openings is left in the output: 0 is "
      'ideal, 1 is the source itself.',
    ),
  }


def quality(found: list[Arrays], way: str) -> Row:
  """How good the pictures far from their source are."""
  out = _pictures(found, way, 'pairs')
  prefix = f'pairs/{way}/'
  if f'{prefix}face' in found[0]:
    faces = (_all(found, f'pairs/{w}/face') for w in (way, 'copy'))
    made, source = (x.astype(np.float64) for x in faces)
    out['csim'] = figures.mean((made * source).sum(-1))
  for feature, name in frechet.NAMES.items():
    if f'{prefix}{feature}' in found[0]:
      out[name] = frechet.frechet_distance(
        _all(found, f'pairs/truth/{feature}'), _all(found, prefix + feature)
      )
  want, got = (_seen(found, 'pairs', w) for w in ('truth', way))
  sharp, source = (_all(found, f'pairs/{w}/sharp') for w in (way, 'copy'))
  return out | {
    'akd': figures.mean(face_metrics.keypoint_distance(want, got)),
    'apd': figures.mean(face_metrics.pose_distance(want, got)),
    'sharpness': figures.mean(figures.ratio(sharp, source)),
    'found': float(got.found.mean()),
  }


def _pictures(found: list[Arrays], way: str, name: str = 'moves') -> Row:
  names = (key for key in _PICTURE if f'{name}/{way}/{key}' in found[0])
  return {k: figures.mean(_all(found, f'{name}/{way}/{k}')) for k in names}


def moves(
  found: list[Arrays], way: str, clip_of: np.ndarray, keep: np.ndarray
) -> Row:
  """How lips, lids, mouth corners and head follow the driving frames."""
  want, got = (_seen(found, 'moves', w) for w in ('truth', way))
  out, made = {}, got.curves
  for name, curve in want.curves.items():
    pair = figures.follow(curve[keep], made[name][keep], clip_of[keep])
    out |= {f'{name}_{key}': value for key, value in pair.items()}
  return out | {'found': float(got.found[keep].mean())}


def steadiness(found: list[Arrays], way: str) -> Row:
  """Jitter, and what the output keeps of the source's expression."""

  def jitter(way: str) -> float:
    parts = (unpack(part, f'run/{way}/') for part in found)
    return figures.mean([face_metrics.jitter(part) for part in parts])

  made, real = jitter(way), jitter('truth')
  out = {'jitter': made, 'jitter_ratio': float(figures.ratio(made, real))}
  for what in LEAKS:
    changes = []
    for w in ('copy', way):
      parts = (unpack(part, f'leak_{what}/{w}/') for part in found)
      halves = (np.split(getattr(part, what), 2) for part in parts)
      changes.append(np.concatenate([wide - shut for wide, shut in halves]))
    out[f'leak_{what}'] = face_metrics.leakage(*changes)
  return out
