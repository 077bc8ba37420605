"""`probe`: portraits say speech of which there is no video.

A speech probe, fitted to the clips of split `train`, guesses from the sound how
open the lips should be; the lips that were made are correlated with that. What
such a number can be at best is seen on real clips that the probe never saw;
what it is by chance, with the guess for another sound.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tqdm

from takin_jax.data import media
from takin_jax.errors import InputError
from takin_jax.eval.cache import Arrays, Cache, digest
from takin_jax.eval.judge import Judge, pack, unpack
from takin_jax.eval.metrics import figures
from takin_jax.eval.metrics.speech_probe import SpeechProbe, fit
from takin_jax.eval.protocols import clips as clips_lib
from takin_jax.eval.protocols.candidate import Candidate, speak
from takin_jax.eval.report import Report, Row, Table, sheet
from takin_jax.face import SAMPLE_RATE_HZ

HELP = 'portraits say speech without a video, judged by a speech probe'
_REACH = 10  # frames that the lips may be early or late
_SHOWN = 0.4  # of the take: the picture on the sheet

# Curves of one kind: what is guessed, what is seen, and a wrong guess.
Triple = tuple[np.ndarray, np.ndarray, np.ndarray]


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Options of this subcommand."""
  add = parser.add_argument
  add('--portraits', required=True, metavar='FOLDER')
  add('--names', nargs='+', metavar='FILE', help='of portraits')
  add('--count', type=int, default=5, help='of portraits')
  add(
    '--speech',
    nargs='+',
    required=True,
    metavar='FILE',
    help='sounds, one per language',
  )
  add('--seconds', type=float, default=8.0, help='of each sound')
  add('--seeds', type=int, default=1, help='takes of every pair')
  add('--emotion', metavar='NAME', help="default: the weights' own")


def run(args: argparse.Namespace, candidate: Candidate, judge: Judge) -> Report:
  """Makes the takes and measures them."""
  probe, trained_on, real = _probe(args)
  sounds = _sounds(args)
  portraits = clips_lib.load_portraits(
    args.portraits, args.count, candidate.size_px, args.names
  )
  engine = candidate.engine
  emotion = candidate.emotion(args.emotion)
  settings = {'weights': args.weights, 'emotion': args.emotion}
  cache = Cache(
    args.out, command='probe', digest=candidate.digest, settings=settings
  )
  guesses = {name: probe(sound) for name, sound in sounds.items()}
  takes: dict[str, dict[str, list[Triple]]] = {name: {} for name in sounds}
  pictures = []
  total = len(sounds) * len(portraits) * args.seeds
  bar = tqdm.tqdm(total=total, unit='take', disable=None)
  for file, portrait in portraits.items():
    row = [portrait]
    for name, sound in sounds.items():
      wrong = guesses[_next(name, list(sounds))]
      for seed in range(args.seeds):

        def make(portrait=portrait, sound=sound, seed=seed) -> Arrays:
          source = engine.encode_source(portrait)
          frames = speak(
            engine, source, sound, candidate.controls, emotion, seed
          )
          return _look(list(frames), judge)

        found = cache(f'{file}-{name}-{digest(portrait, sound)}-{seed}', make)
        triple = (guesses[name], unpack(found).lips, wrong)
        takes[name].setdefault(file, []).append(triple)
        bar.update()
      row.append(found['picture'])
    pictures.append(row)
  bar.close()
  settings |= {'speech': args.speech, 'seconds': args.seconds}
  settings |= {'portraits': list(portraits), 'seeds': args.seeds}
  return Report(
    command='probe',
    settings=settings | {'real clips': list(real)},
    tables=_tables(takes, real, trained_on),
    sheet=sheet(pictures, ['portrait', *sounds]),
    not_measured={}
    if len(sounds) > 1
    else {'the wrong sound': 'give more than one file with --speech'},
  )


def _look(made: Sequence[np.ndarray], judge: Judge) -> Arrays:
  """The faces of a take, and one of its pictures."""
  return pack(judge(made)) | {'picture': made[int(_SHOWN * len(made))]}


def _probe(
  args: argparse.Namespace,
) -> tuple[SpeechProbe, int, dict[str, Triple]]:
  """The probe, how many clips it learnt from, and real clips to try it on."""
  split = 'train'
  heard = [c for c in clips_lib.load(args.records, 64, split) if c.speaks]
  real = clips_lib.load(args.records, 64, args.split, args.clips)
  real = [clip for clip in real if clip.speaks]
  heard = [c for c in heard if c.id not in {clip.id for clip in real}]
  try:
    probe = fit([c.audio for c in heard], [_lips(c) for c in heard])
  except ValueError as error:
    raise InputError(f'{args.records}, split {split}: {error}.') from None
  guesses = {clip.id: probe(clip.audio) for clip in real}
  names = list(guesses)
  triples = {
    clip.id: (guesses[clip.id], _lips(clip), guesses[_next(clip.id, names)])
    for clip in real
  }
  return probe, len(heard), triples


def _lips(clip: clips_lib.Clip) -> np.ndarray:
  """[T] lip opening of the real frames; NaN: no face."""
  out = np.full(len(clip.geo.frames['lips']), np.nan)
  out[clip.found] = clip.geo.frames['lips'][clip.found, 0]
  return out


def _sounds(args: argparse.Namespace) -> dict[str, np.ndarray]:
  length = int(args.seconds * SAMPLE_RATE_HZ)
  sounds = {Path(p).stem: media.read_audio(p)[:length] for p in args.speech}
  if len(sounds) < len(args.speech):
    raise InputError('Two files of --speech have the same name.')
  return sounds


def _next(name: str, names: list[str]) -> str:
  return names[(names.index(name) + 1) % len(names)]


def _row(triples: Sequence[Triple]) -> Row:
  """Mean correlations over takes, and the peak of their mean lag curve."""
  curves = [
    figures.lag_curve(guess, seen, _REACH) for guess, seen, _ in triples
  ]
  curve = np.array([figures.mean(column) for column in np.array(curves).T])
  peak = figures.peak_lag(curve)
  wrong = [_correlation(other, seen) for _, seen, other in triples]
  return {
    'probe_r': float(curve[_REACH]),
    'offset_frames': peak,
    'probe_peak_r': None if peak is None else float(curve[peak + _REACH]),
    'probe_wrong_r': figures.mean(wrong),
    'lips_std': figures.mean([np.nanstd(seen) for _, seen, _ in triples]),
  }


def _correlation(guess: np.ndarray, seen: np.ndarray) -> float:
  count = min(len(guess), len(seen))
  return figures.correlation(guess[:count], seen[:count])


def _tables(
  takes: dict[str, dict[str, list[Triple]]],
  real: dict[str, Triple],
  trained_on: int,
) -> dict[str, Table]:
  flat = {
    name: [triple for part in by_portrait.values() for triple in part]
    for name, by_portrait in takes.items()
  }
  several = len(takes) > 1

  def row(triples: Sequence[Triple], known: bool) -> Row:
    out = dict(_row(triples))
    return out if known else out | {'probe_wrong_r': None}

  rows = {
    'all': row([t for part in flat.values() for t in part], several),
    **{name: row(part, several) for name, part in flat.items()},
    'copy of the portrait': {'lips_std': 0.0},
  }
  if real:
    rows['real clips, own sound'] = row(list(real.values()), len(real) > 1)
  portraits = {
    file: row([t for by_file in takes.values() for t in by_file[file]], several)
    for file in next(iter(takes.values()))
  }
  return {
    'summary': Table(
      f'{len(takes)} sounds on {len(portraits)} portraits',
      rows,
      f'Correlation of lip openings with what a ridge regression on mel '
      f'energies, fitted to {trained_on} clips, expects of the sound; the '
      'wrong sound is the next one. A peak at a positive offset means late '
      'lips (25 frames are one second). The real clips show what is possible; '
      'a still portrait has no correlation.',
    ),
    'portraits': Table('Portrait by portrait', portraits),
  }
