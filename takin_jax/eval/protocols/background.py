"""`background`: portraits before other backgrounds, moved by the same frames.

What is behind a person must not change what the person does. Faces are cut out
and put before flat colours and textures; a clip opens the mouth, another closes
the eyes. Everything is held against the same portrait as it was.
"""

import argparse

import numpy as np
import tqdm

from takin_jax.errors import InputError
from takin_jax.eval.cache import Arrays, Cache, digest
from takin_jax.eval.judge import Judge, pack, unpack
from takin_jax.eval.metrics import backdrops, figures, nets, segment
from takin_jax.eval.protocols import clips as clips_lib
from takin_jax.eval.protocols.candidate import Candidate, drive
from takin_jax.eval.report import Report, Row, Table, sheet
from takin_jax.infer.engine import Engine

HELP = 'portraits before flat colours and textures'
OWN = 'own background'
WORST = 'worst face'
# Frames of a take: at rest, mouth open; at rest, eyes closed.
_OPEN, _AWAKE, _CLOSED = 1, 2, 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Options of this subcommand."""
  add = parser.add_argument
  add('--portraits', required=True, metavar='FOLDER')
  add('--names', nargs='+', metavar='FILE', help='of portraits')
  add('--count', type=int, default=8, help='of portraits')
  nets.add_arguments(parser, inception=False)


def run(args: argparse.Namespace, candidate: Candidate, judge: Judge) -> Report:
  """Makes the frames and measures them."""
  engine = candidate.engine
  clips = clips_lib.load(args.records, engine.size_px, args.split, args.clips)
  portraits = clips_lib.load_portraits(
    args.portraits, args.count, engine.size_px, args.names
  )
  seen_by = nets.open_nets(args)
  mouth, eyes = (_widest(clips, what) for what in ('lips', 'lids'))
  driving = [
    mouth.images([mouth.closed, mouth.extreme('lips', np.argmax)]),
    eyes.images(
      [eyes.extreme('lids', pick) for pick in (np.argmax, np.argmin)]
    ),
  ]
  settings = {'weights': args.weights, 'clips': [mouth.id, eyes.id]}
  settings |= seen_by.settings
  cache = Cache(
    args.out, command='background', digest=candidate.digest, settings=settings
  )
  found = {}
  for name, portrait in tqdm.tqdm(portraits.items(), unit='face', disable=None):
    stage = _Stage(engine, candidate, judge, seen_by, driving)
    key = f'{name}-{digest(portrait, *driving)}'
    found[name] = cache(key, lambda p=portrait, s=stage: s.make(p))
  found = {name: part for name, part in found.items() if len(part)}
  if not found:
    raise InputError(f'No face is seen on the portraits of {args.portraits}.')
  return Report(
    command='background',
    settings=settings | {'portraits': list(found)},
    tables=_tables(found),
    sheet=sheet(
      [part['pictures'] for part in found.values()],
      [OWN, *backdrops.backdrops(8)],
    ),
    not_measured=seen_by.missing
    | {name: 'no face is seen' for name in portraits if name not in found},
  )


def _widest(clips: list[clips_lib.Clip], what: str) -> clips_lib.Clip:
  """The clip in which lips or lids move most."""
  return max(
    clips, key=lambda clip: np.ptp(clip.geo.frames[what][clip.found, 0])
  )


class _Stage:
  """What all portraits are moved by."""

  def __init__(
    self,
    engine: Engine,
    candidate: Candidate,
    judge: Judge,
    seen_by: nets.Nets,
    driving: list[np.ndarray],
  ):
    self._engine, self._controls = engine, candidate.controls
    self._judge, self._nets, self._driving = judge, seen_by, driving

  def make(self, portrait: np.ndarray) -> Arrays:
    """Readings of one person by background; empty if no face is seen."""
    rest = self._judge([portrait])
    if not rest.found[0]:
      return {}
    mask = segment.person_mask(portrait, rest.landmarks[0])
    images = {OWN: portrait} | {
      name: backdrops.behind(portrait, mask, behind)
      for name, behind in backdrops.backdrops(len(portrait)).items()
    }
    out, shown = {}, []
    for name, image in images.items():
      made = np.concatenate(
        [
          drive(self._engine, image, part, self._controls)
          for part in self._driving
        ]
      )
      seen = self._judge(made)
      out |= pack(seen, f'{name}/')
      if self._nets.face is not None:
        faces = self._nets.face(made, seen.landmarks)
        own = self._nets.face(portrait[None], rest.landmarks)[0]
        out[f'{name}/csim'] = faces @ own
      shown.append(made[_OPEN])
    return out | {'pictures': np.stack(shown)}


def face_row(found: Arrays) -> Row:
  """Figures of one person: the least over the backgrounds, against the own.

  A face that is not found any more counts as one that does not move.
  """
  rows = {name: against(found, name) for name in backdrops.backdrops(8)}
  own = unpack(found, f'{OWN}/')
  least = {
    key: min(row[key] for row in rows.values())
    for key in next(iter(rows.values()))
  }
  worst = min(rows, key=lambda name: rows[name]['background_lips'])
  return least | {'own_lips': float(own.lips[_OPEN]), 'behind': worst}


def against(found: Arrays, name: str) -> Row:
  """What is left before one background of what the own one shows."""
  own, seen = (unpack(found, f'{key}/') for key in (OWN, name))
  closing = (part.lids[_AWAKE] - part.lids[_CLOSED] for part in (seen, own))
  row = {
    'background_lips': _share(seen.lips[_OPEN], own.lips[_OPEN]),
    'background_lids': _share(*closing),
  }
  if f'{name}/csim' in found:
    csim = (found[f'{key}/csim'] for key in (name, OWN))
    row['background_csim'] = float(np.nanmin(np.subtract(*csim)))
  return row | {'found': float(seen.found.mean())}


def _share(value: float, own: float) -> float:
  """value / own; 0 where nothing is seen."""
  return float(np.nan_to_num(value / own)) if own > 0 else float('nan')


def _least(values: np.ndarray) -> float:
  """The least of what is known; NaN if nothing is."""
  known = values[np.isfinite(values)]
  return float(known.min()) if len(known) else float('nan')


def _tables(found: dict[str, Arrays]) -> dict[str, Table]:
  people = {name: face_row(part) for name, part in found.items()}
  figures_ = [k for k in next(iter(people.values())) if k != 'behind']

  def over(rows: dict[str, Row], pick) -> Row:
    columns = {key: [row.get(key) for row in rows.values()] for key in figures_}
    return {
      key: pick(np.array(values, float))
      for key, values in columns.items()
      if None not in values
    }

  by_color = {
    name: over(
      {person: against(part, name) for person, part in found.items()},
      figures.mean,
    )
    for name in backdrops.backdrops(8)
  }
  return {
    'summary': Table(
      f'{len(found)} faces before {len(by_color)} backgrounds',
      {
        WORST: over(people, _least),
        'mean over faces, least over backgrounds': over(people, figures.mean),
      },
      'Lips: opening at the widest driving frame, over that before the own '
      'background; lids: the same for how far they close. CSIM: to the '
      'portrait, minus that of the own background. Least over all '
      'backgrounds, 1 (CSIM: 0) is ideal; a face that is not found counts as '
      'one that does not move.',
    ),
    'backgrounds': Table('Mean over faces', by_color),
    'portraits': Table('Face by face, least over backgrounds', people),
  }
