"""`audio`: clips of people who speak, made again from their sound alone.

The portrait is the clip's most closed mouth, the sound is the clip's own, and
then silence. What the lips do is compared with what they really did. The
references are the same with the sound of another clip, cut or repeated to the
same length, which must not agree; the portrait, unmoved; and the real clips.
"""

import argparse

import numpy as np
import tqdm

from takin_jax.errors import InputError
from takin_jax.eval.cache import Arrays, Cache
from takin_jax.eval.judge import Judge, Readings, unpack
from takin_jax.eval.metrics import figures, frechet, nets
from takin_jax.eval.protocols import clips as clips_lib
from takin_jax.eval.protocols.candidate import Candidate, speak
from takin_jax.eval.protocols.takes import (
  REACH,
  SETTLE_S,
  Take,
  look,
  mean_curve,
  summary,
  take,
)
from takin_jax.eval.report import Report, Row, Table, sheet
from takin_jax.face import SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from takin_jax.infer.engine import Engine

HELP = 'clips made again from their sound'
SILENCE_S = 1.5
ROWS = {
  'own': 'own sound',
  'wrong': "another clip's sound",
  'copy': 'copy of the source',
  'truth': 'the real clips',
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Options of this subcommand."""
  add = parser.add_argument
  add('--seeds', type=int, default=3, help='takes of every clip')
  add('--emotion', metavar='NAME', help="default: the weights' own")
  nets.add_arguments(parser, sync=True)


def run(args: argparse.Namespace, candidate: Candidate, judge: Judge) -> Report:
  """Makes the takes and measures them."""
  engine = candidate.engine
  clips = clips_lib.load(args.records, engine.size_px, args.split, args.clips)
  clips = [clip for clip in clips if clip.speaks]
  if not clips:
    raise InputError(f'No clip in {args.records} has speech; name --clips.')
  seen_by = nets.open_nets(args)
  missing = dict(seen_by.missing)
  ways = dict.fromkeys(ROWS, 1) | {'own': args.seeds, 'wrong': args.seeds}
  if len(clips) == 1:
    del ways['wrong']
    missing[ROWS['wrong']] = 'there is only one clip'
  settings = {
    'weights': args.weights,
    'emotion': args.emotion,
    'steps': engine.diffusion.sample_steps,
    'guidance': engine.diffusion.guidance_audio,
  } | seen_by.settings
  cache = Cache(
    args.out, command='audio', digest=candidate.digest, settings=settings
  )
  emotion = candidate.emotion(args.emotion)
  found: dict[str, dict[str, list[Arrays]]] = {way: {} for way in ways}
  bar = tqdm.tqdm(
    total=len(clips) * sum(ways.values()), unit='take', disable=None
  )
  for clip, other in zip(clips, clips[1:] + clips[:1], strict=True):
    stage = _Stage(clip, other, engine, candidate, emotion, judge, seen_by)
    for way, count in ways.items():
      for seed in range(count):
        name = f'{clip.key}-{way}{seed}'
        name += f'-{other.key}' if way == 'wrong' else ''
        arrays = cache(name, lambda w=way, s=seed, on=stage: on.make(w, s))
        found[way].setdefault(clip.id, []).append(arrays)
        bar.update()
  bar.close()
  return _report(args, settings, found, missing)


class _Stage:
  """One clip and what is needed to make it again; decoded when first used."""

  def __init__(
    self,
    clip: clips_lib.Clip,
    other: clips_lib.Clip,
    engine: Engine,
    candidate: Candidate,
    emotion: np.ndarray | None,
    judge: Judge,
    seen_by: nets.Nets,
  ):
    self._clip, self._other, self._engine = clip, other, engine
    self._controls, self._emotion = candidate.controls, emotion
    self._judge, self._nets = judge, seen_by
    self._frames: np.ndarray | None = None

  def make(self, way: str, seed: int) -> Arrays:
    """Makes one take and looks at it."""
    clip, judge = self._clip, self._judge
    if self._frames is None:
      self._frames = clip.images(range(len(clip.geo.frames['x'])))
    real, portrait = self._frames, clip.image(clip.closed)
    rest = judge([portrait])
    sound = own_sound(clip)
    if way == 'truth':
      made, seen = real, judge(real)
    elif way == 'copy':
      made = np.broadcast_to(portrait, real.shape)
      seen = rest[np.zeros(len(real), int)]
    else:
      sound = sound if way == 'own' else other_sound(clip, self._other)
      source = self._engine.encode_source(portrait)
      made = list(
        speak(self._engine, source, sound, self._controls, self._emotion, seed)
      )
      seen = judge(made)
    # Lips that follow another sound are held against the clip's own.
    heard = own_sound(clip)[: len(real) * SAMPLES_PER_FRAME]
    return look(made, seen, real, (portrait, rest), heard, self._nets)


def own_sound(clip: clips_lib.Clip) -> np.ndarray:
  """The clip's sound, as long as its pictures, and then silence."""
  length = len(clip.geo.frames['x']) * SAMPLES_PER_FRAME
  sound = clip.audio[:length]
  silence = int(SILENCE_S * SAMPLE_RATE_HZ)
  return np.pad(sound, (0, length + silence - len(sound)))


def other_sound(clip: clips_lib.Clip, other: clips_lib.Clip) -> np.ndarray:
  """Another clip's sound, repeated as long as this clip's pictures."""
  length = len(clip.geo.frames['x']) * SAMPLES_PER_FRAME
  return np.resize(other.audio, length)


def _report(
  args: argparse.Namespace,
  settings: dict,
  found: dict[str, dict[str, list[Arrays]]],
  missing: dict[str, str],
) -> Report:
  real = {name: unpack(parts[0]) for name, parts in found['truth'].items()}
  takes = {
    way: {
      name: [take(real[name], part, way == 'own') for part in parts]
      for name, parts in clips.items()
    }
    for way, clips in found.items()
  }
  own = takes['own']
  pictures = [
    list(found[way][name][0]['pictures'])
    for name in real
    for way in ('truth', 'own')
  ]
  return Report(
    command='audio',
    settings=settings | {'clips': list(real), 'seeds': args.seeds},
    tables=_tables(real, takes, _frechet(found)),
    sheet=sheet(pictures, ['real, below: made from the sound']),
    not_measured=missing,
    details={
      'lags_frames': list(range(-REACH, REACH + 1)),
      'lips_real': {name: seen.lips for name, seen in real.items()},
      'lips_own': {k: [t.seen.lips for t in v] for k, v in own.items()},
      'lids_own': {k: [t.seen.lids for t in v] for k, v in own.items()},
      'pose_deg_own': {k: [t.seen.pose_deg for t in v] for k, v in own.items()},
      'lag_curves': {k: mean_curve(v) for k, v in own.items()},
    },
  )


def _frechet(found: dict[str, dict[str, list[Arrays]]]) -> dict[str, Row]:
  """Frechet distances of every way's first takes to the real pictures."""
  out: dict[str, Row] = {way: {} for way in found}
  for feature, name in frechet.NAMES.items():
    sets = {
      way: np.concatenate([parts[0][feature] for parts in clips.values()])
      for way, clips in found.items()
      if all(feature in parts[0] for parts in clips.values())
    }
    for way, features in sets.items():
      distance = frechet.frechet_distance(sets['truth'], features)
      out[way] = dict(out[way]) | {name: distance}
  return out


def _tables(
  real: dict[str, Readings],
  takes: dict[str, dict[str, list[Take]]],
  distances: dict[str, Row],
) -> dict[str, Table]:
  rows = {}
  for way, by_clip in takes.items():
    row = summary([take for part in by_clip.values() for take in part])
    if way == 'truth':
      shut = [float(np.nanmin(seen.lips)) for seen in real.values()]
      row['open_silence'] = figures.mean(shut)
    rows[ROWS[way]] = row | distances[way]
  clips = {name: summary(part) for name, part in takes['own'].items()}
  for name, part in takes.get('wrong', {}).items():
    clips[name]['r, other sound'] = summary(part)['lips_r']
  count = len(next(iter(takes['own'].values())))
  return {
    'summary': Table(
      f'{len(real)} clips, {count} takes of each',
      rows,
      'Lip opening by MediaPipe on the output against the real clip, frame by '
      'frame; a peak at a positive offset means late lips (25 frames are one '
      f'second). Silence: the last {SILENCE_S - SETTLE_S:.0f} s of '
      f'{SILENCE_S} s without sound; for the real clips their most closed '
      'mouth. Pictures: every fifth frame, against the real one at that time; '
      'CSIM and sharpness to the portrait. Frechet distances: first takes.',
    ),
    'clips': Table('Clip by clip', clips),
  }
