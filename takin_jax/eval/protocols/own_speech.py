"""`own-speech`: people say their own sentence again, from their first frame.

Sound and portrait are the clip's; what lips, jaw, mouth corners and head do is
held against what they really did, speaker by speaker, at lag 0 and at the best
constant lag of the speaker (sound and picture of real clips are seldom exactly
together). `audio` asks more of fewer clips.
"""

import argparse
from collections.abc import Sequence

import numpy as np
import tqdm

from takin_jax.errors import InputError
from takin_jax.eval.cache import Arrays, Cache
from takin_jax.eval.judge import Judge, pack, unpack
from takin_jax.eval.metrics import figures
from takin_jax.eval.metrics.speech_follow import CURVES, curves, follow
from takin_jax.eval.protocols import clips as clips_lib
from takin_jax.eval.protocols.candidate import Candidate, speak
from takin_jax.eval.report import Report, Row, Table, sheet
from takin_jax.face import FRAME_RATE_HZ, SAMPLES_PER_FRAME
from takin_jax.infer.engine import Engine

HELP = 'people say their own sentence from their first frame'
_SHOWN = (0.2, 0.4, 0.6, 0.8)


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Options of this subcommand."""
  add = parser.add_argument
  add('--count', type=int, default=6, help='clips of every speaker')
  add('--seconds', type=float, default=8.0, help='of every clip, at most')
  add('--seeds', type=int, default=2, help='takes of every clip')


def run(args: argparse.Namespace, candidate: Candidate, judge: Judge) -> Report:
  """Makes the takes and measures them."""
  engine = candidate.engine
  clips = clips_lib.load(args.records, engine.size_px, args.split, args.clips)
  speakers = _speakers(clips, args.count)
  if not speakers:
    raise InputError(f'No clip in {args.records} has speech; name --clips.')
  settings = {'weights': args.weights, 'seconds': args.seconds}
  settings |= {
    'steps': engine.diffusion.sample_steps,
    'guidance': engine.diffusion.guidance_audio,
  }
  cache = Cache(
    args.out, command='own-speech', digest=candidate.digest, settings=settings
  )
  frames = round(args.seconds * FRAME_RATE_HZ)
  found: dict[str, list[Arrays]] = {}
  total = sum(map(len, speakers.values())) * args.seeds
  bar = tqdm.tqdm(total=total, unit='take', disable=None)
  for speaker, mine in speakers.items():
    for clip in mine:
      stage = _Stage(clip, frames, engine, candidate, judge)
      for seed in range(args.seeds):
        name = f'{clip.key}-{seed}'
        arrays = cache(name, lambda s=seed, on=stage: on.make(s))
        found.setdefault(speaker, []).append(arrays)
        bar.update()
  bar.close()
  return Report(
    command='own-speech',
    settings=settings
    | {
      'seeds': args.seeds,
      'clips': [clip.id for part in speakers.values() for clip in part],
    },
    tables=_tables(found),
    sheet=sheet(
      [x for part in found.values() for x in part[0]['pictures']],
      ['real, below: made from the sound'],
    ),
  )


def _speakers(
  clips: Sequence[clips_lib.Clip], count: int
) -> dict[str, list[clips_lib.Clip]]:
  """At most `count` clips of everybody who speaks."""
  out: dict[str, list[clips_lib.Clip]] = {}
  for clip in clips:
    if clip.speaks and len(out.setdefault(clip.geo.person, [])) < count:
      out[clip.geo.person].append(clip)
  return out


class _Stage:
  """One clip, decoded when first used."""

  def __init__(
    self,
    clip: clips_lib.Clip,
    frames: int,
    engine: Engine,
    candidate: Candidate,
    judge: Judge,
  ):
    self._clip, self._engine, self._judge = clip, engine, judge
    self._controls, self._emotion = candidate.controls, candidate.emotion(None)
    first = int(clip.found[0])
    self._frames = range(first, min(first + frames, len(clip.geo.frames['x'])))
    self._real: tuple[np.ndarray, Arrays] | None = None

  def make(self, seed: int) -> Arrays:
    """Makes one take and looks at it."""
    if self._real is None:
      real = self._clip.images(self._frames)
      self._real = real, pack(self._judge(real), 'real/')
    real, seen = self._real
    places = np.array([self._frames[0], self._frames[-1] + 1])
    sound = self._clip.audio[slice(*places * SAMPLES_PER_FRAME)]
    source = self._engine.encode_source(real[0])
    made = list(
      speak(self._engine, source, sound, self._controls, self._emotion, seed)
    )[: len(real)]
    shown = [int(f * len(made)) for f in _SHOWN]
    pictures = [[images[i] for i in shown] for images in (real, made)]
    out = seen | pack(self._judge(made), 'made/')
    return out | {'pictures': np.array(pictures)}


def speaker_rows(takes: Sequence[Arrays]) -> dict[str, Row]:
  """Figures of one speaker by curve, see `speech_follow.follow`."""
  real, made = (
    [curves(unpack(take, f'{key}/')) for take in takes]
    for key in ('real', 'made')
  )
  return {
    name: follow([x[name] for x in real], [x[name] for x in made])
    for name in CURVES
  }


def summary_row(rows: Sequence[Row]) -> Row:
  """Means over speakers; `spread`: mean deviation over the real mean."""
  row = {key: figures.mean([part[key] for part in rows]) for key in rows[0]}
  spread = figures.ratio(row.pop('std'), row.pop('std_real'))
  return row | {'spread': float(spread)}


def _tables(found: dict[str, list[Arrays]]) -> dict[str, Table]:
  people = {name: speaker_rows(takes) for name, takes in found.items()}
  takes = sum(map(len, found.values()))
  return {
    'summary': Table(
      f'{len(people)} speakers, {takes} takes: means over speakers',
      {
        curve: summary_row([rows[curve] for rows in people.values()])
        for curve in CURVES
      },
      'r and gain (slope) against the real clip at lag 0, within clips; best '
      "r: at the speaker's best constant lag (positive: late), which flatters "
      'curves without relation; spread: mean standard deviation over the mean '
      'real one. Lips and mouth width by landmarks, jaw and smile by '
      'blendshapes, angles in degrees.',
    ),
    **{
      curve: Table(
        f'{curve}, speaker by speaker',
        {name: rows[curve] for name, rows in people.items()},
      )
      for curve in CURVES
    },
  }
