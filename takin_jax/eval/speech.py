"""`audio`: clips of people who speak, made again from their sound alone.

The portrait is the clip's most closed mouth, the sound is the clip's own, and
then silence. What the lips do is compared with what they really did. The
reference is the same with the sound of another clip, cut or repeated to the
same length: that must not agree.
"""

import argparse
import dataclasses

import numpy as np
import tqdm

from takin_jax.eval import clips as clips_lib
from takin_jax.eval import metrics
from takin_jax.eval.candidate import Candidate, speak
from takin_jax.eval.judge import Judge, Readings
from takin_jax.eval.report import Report, Row, Table, sheet
from takin_jax.infer.errors import InputError
from takin_jax.types import FRAME_RATE_HZ, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME

HELP = 'clips made again from their sound'
SILENCE_S = 1.5
_SETTLE_S = 0.5  # of the silence, until the mouth must be closed
_REACH = 10  # frames that the lips may be early or late
_SHOWN = (0.2, 0.4, 0.6, 0.8)


@dataclasses.dataclass(frozen=True)
class Take:
  """One output and how it agrees with the real clip.

  Attributes:
    seen: the output's faces: the clip's frames, then silence if `own`.
    curve: correlation with the real lips at every lag, see `lag_curve`.
    row: its figures.
  """

  seen: Readings
  curve: np.ndarray
  row: Row


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Options of this subcommand."""
  add = parser.add_argument
  add('--seeds', type=int, default=3, help='takes of every clip')
  add('--emotion', metavar='NAME', help="default: the weights' own")


def run(args: argparse.Namespace, candidate: Candidate, judge: Judge) -> Report:
  """Makes the takes and measures them."""
  engine = candidate.engine(video=False)
  clips = clips_lib.load(args.records, engine.size_px, args.split, args.clips)
  clips = [clip for clip in clips if clip.speaks]
  if not clips:
    raise InputError(f'No clip in {args.records} has speech; name --clips.')
  emotion = candidate.emotion(args.emotion)
  own: dict[str, list[Take]] = {}
  wrong: dict[str, list[Take]] = {}
  real, pictures = {}, []
  total = args.seeds * len(clips) * (1 + (len(clips) > 1))
  bar = tqdm.tqdm(total=total, unit='take', disable=None)
  for number, clip in enumerate(clips):
    frames = clip.images(range(len(clip.geo.frames['x'])))
    real[clip.id] = judge(frames)
    source = engine.source(clip.image(clip.closed))
    other = clips[(number + 1) % len(clips)]
    sounds = {True: own_sound(clip), False: other_sound(clip, other)}
    for is_own, sound in sounds.items():
      if not is_own and other is clip:
        continue
      for seed in range(args.seeds):
        made = list(
          speak(engine, source, sound, candidate.controls, emotion, seed)
        )
        takes = (own if is_own else wrong).setdefault(clip.id, [])
        takes.append(compare(real[clip.id], judge(made), is_own))
        if is_own and seed == 0:
          shown = [int(f * len(frames)) for f in _SHOWN]
          pictures.append([frames[i] for i in shown])
          pictures.append([made[i] for i in shown])
        bar.update()
  bar.close()
  return Report(
    command='audio',
    settings={
      'weights': args.weights,
      'clips': [clip.id for clip in clips],
      'seeds': args.seeds,
      'emotion': args.emotion,
      'steps': engine.diffusion.sample_steps,
      'guidance': engine.diffusion.guidance_audio,
    },
    tables=_tables(real, own, wrong),
    sheet=sheet(pictures, ['real, below: made from the sound']),
    not_measured={}
    if wrong
    else {"another clip's sound": 'there is only one clip'},
    details={
      'lags_frames': list(range(-_REACH, _REACH + 1)),
      'lips_real': {name: seen.lips for name, seen in real.items()},
      'lips_own': {k: [t.seen.lips for t in v] for k, v in own.items()},
      'lids_own': {k: [t.seen.lids for t in v] for k, v in own.items()},
      'pose_deg_own': {k: [t.seen.pose_deg for t in v] for k, v in own.items()},
      'lag_curves': {k: _mean_curve(v) for k, v in own.items()},
    },
  )


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


def compare(real: Readings, seen: Readings, own: bool) -> Take:
  """Figures of one take against the real clip of T frames."""
  count = len(real.lips)
  curve = metrics.lag_curve(real.lips, seen.lips[:count], _REACH)
  lips = metrics.follow(real.lips, seen.lips[:count])
  silent = slice(count + round(_SETTLE_S * FRAME_RATE_HZ), None)
  row = {
    'lips_r': lips['r'],
    'lips_gain': lips['gain'],
    'head_std_deg': metrics.head_motion(seen.pose_deg),
    'blinks_per_min': metrics.blinks_per_minute(seen.lids),
    'open_speech': metrics.mean(seen.lips[:count]),
    'open_silence': metrics.mean(seen.lips[silent]) if own else float('nan'),
    'found': float(seen.found.mean()),
  }
  return Take(seen, curve, row)


def _mean_curve(takes: list[Take]) -> np.ndarray:
  curves = np.array([take.curve for take in takes])
  return np.array([metrics.mean(column) for column in curves.T])


def _summary(takes: list[Take]) -> Row:
  """Means over takes, and the peak of their mean lag curve."""
  row = {
    key: metrics.mean([take.row[key] for take in takes]) for key in takes[0].row
  }
  curve = _mean_curve(takes)
  peak = metrics.peak_lag(curve)
  at_peak = None if peak is None else float(curve[peak + _REACH])
  lips = {key: row.pop(key) for key in ('lips_r', 'lips_gain')}
  return lips | {'offset_frames': peak, 'lips_peak_r': at_peak} | row


def _tables(
  real: dict[str, Readings],
  own: dict[str, list[Take]],
  wrong: dict[str, list[Take]],
) -> dict[str, Table]:
  def everything(takes: dict[str, list[Take]]) -> Row:
    return _summary([take for part in takes.values() for take in part])

  rows = {'own sound': everything(own)}
  if wrong:
    rows["another clip's sound"] = everything(wrong)
  truth = {
    'head_std_deg': [metrics.head_motion(s.pose_deg) for s in real.values()],
    'blinks_per_min': [
      metrics.blinks_per_minute(s.lids) for s in real.values()
    ],
    'open_speech': [metrics.mean(s.lips) for s in real.values()],
    'open_silence': [float(np.nanmin(s.lips)) for s in real.values()],
  }
  rows['the real clips'] = {k: metrics.mean(v) for k, v in truth.items()}
  clips = {}
  for name, takes in own.items():
    row = _summary(takes)
    if name in wrong:
      row['r, other sound'] = _summary(wrong[name])['lips_r']
    clips[name] = row
  return {
    'summary': Table(
      f'{len(own)} clips, {len(next(iter(own.values())))} takes of each',
      rows,
      'Lip opening by MediaPipe on the output against the real clip, frame by '
      'frame; a peak at a positive offset means late lips (25 frames are one '
      f'second). Silence: the last {SILENCE_S - _SETTLE_S:.0f} s of '
      f'{SILENCE_S} s without sound; for the real clips their most closed '
      'mouth.',
    ),
    'clips': Table('Clip by clip', clips),
  }
