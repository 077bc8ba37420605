"""`cross`: clips drive the portraits of other people.

The same path as `infer.py -d`: the changes since the clip's first frame move
the portrait.
"""

import argparse

import jax
import numpy as np
import tqdm

from takin_jax.data.faces.identity import FaceNet, open_face_net
from takin_jax.eval import clips as clips_lib
from takin_jax.eval import metrics
from takin_jax.eval.candidate import Candidate
from takin_jax.eval.judge import Judge, Readings
from takin_jax.eval.report import Report, Row, Table, sheet
from takin_jax.infer import output
from takin_jax.infer.engine import Engine

HELP = "clips drive other people's portraits"
_SHOWN = (0.25, 0.5, 0.75)


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Options of this subcommand."""
  add = parser.add_argument
  add('--portraits', required=True, metavar='FOLDER')
  add('--names', nargs='+', metavar='FILE', help='of portraits')
  add('--count', type=int, default=5, help='of portraits')
  add('--clip-count', type=int, default=3, help='of clips')
  add('--frames', type=int, default=60, help='per clip, evenly spaced')
  add('--face-net', metavar='ONNX', help='for CSIM, such as MobileFaceNet')


def run(args: argparse.Namespace, candidate: Candidate, judge: Judge) -> Report:
  """Makes the frames and measures them."""
  engine = candidate.engine(video=True)
  clips = clips_lib.load(args.records, engine.size_px, args.split, args.clips)
  if not args.clips:
    clips = clips_lib.liveliest(clips, args.clip_count)
  portraits = clips_lib.load_portraits(
    args.portraits, args.count, engine.size_px, args.names
  )
  net, why = open_face_net(args.face_net)
  rows, curves, pictures = {}, [], []
  bar = tqdm.tqdm(total=len(clips) * len(portraits), unit='pair', disable=None)
  for clip in clips:
    driving = clip.images(clip.even(args.frames))
    want = judge(driving)
    for name, portrait in portraits.items():
      made = reenact(engine, portrait, driving, candidate.controls)
      got = judge(made)
      row = _moves(want, got)
      if net is not None:
        row |= {'csim': _csim(net, judge, portrait, made, got)}
      rows[f'{clip.id} on {name}'] = row
      curves.append((want, got))
      shown = [int(f * len(driving)) for f in _SHOWN]
      row = [[driving[i], made[i]] for i in shown]
      pictures.append([portrait, *(image for pair in row for image in pair)])
      bar.update()
  bar.close()
  summary = {
    'mean over pairs': {
      key: metrics.mean([row[key] for row in rows.values()])
      for key in next(iter(rows.values()))
    },
    'all frames': _pooled(curves),
  }
  if net is not None:
    summary['another portrait'] = {'csim': _stranger(net, judge, portraits)}
  return Report(
    command='cross',
    settings={
      'weights': args.weights,
      'clips': [clip.id for clip in clips],
      'portraits': list(portraits),
      'frames': args.frames,
      'face net': args.face_net and str(args.face_net),
    },
    tables={
      'summary': Table(
        f'{len(clips)} clips on {len(portraits)} portraits',
        summary,
        'Openings by MediaPipe on the output against the driving clip; gain: '
        'slope, 1 is ideal. All frames: one slope for deviations from the mean '
        'of each pair. CSIM is to the portrait.',
      ),
      'pairs': Table('Pair by pair', rows),
    },
    sheet=sheet(pictures, ['portrait', *['driving', 'output'] * len(_SHOWN)]),
    not_measured={'CSIM': why} if why else {},
  )


def reenact(
  engine: Engine, portrait: np.ndarray, driving: np.ndarray, controls
) -> np.ndarray:
  """Moves a portrait like a clip: [T, H, W, 3] uint8."""
  controls = jax.tree.map(np.float32, controls)
  source = engine.source(portrait)
  first = engine.motion(driving[0])
  started = (
    engine.reenact(source, first, image, controls) for image in driving
  )
  return np.stack(list(output.fetch(started)))


def _moves(
  want: Readings, got: Readings, clip: np.ndarray | None = None
) -> dict[str, float]:
  out = {}
  for name in ('lips', 'lids', 'yaw'):
    found = metrics.follow(getattr(want, name), getattr(got, name), clip)
    out |= {f'{name}_{key}': value for key, value in found.items()}
  return out | {'found': float(got.found.mean())}


def _pooled(curves: list[tuple[Readings, Readings]]) -> Row:
  """One correlation and slope for the frames of all pairs."""

  def join(part: int) -> Readings:
    arrays = ('landmarks', 'pose_matrix', 'blendshapes')
    seen = [pair[part] for pair in curves]
    return Readings(
      *(np.concatenate([getattr(s, name) for s in seen]) for name in arrays)
    )

  lengths = [len(want.lips) for want, _ in curves]
  clip = np.repeat(np.arange(len(curves)), lengths)
  return _moves(join(0), join(1), clip)


def _csim(
  net: FaceNet,
  judge: Judge,
  portrait: np.ndarray,
  made: np.ndarray,
  got: Readings,
) -> float:
  rest = net(portrait[None], judge([portrait]).landmarks)
  return metrics.mean((net(made, got.landmarks) @ rest.T)[:, 0])


def _stranger(
  net: FaceNet, judge: Judge, portraits: dict[str, np.ndarray]
) -> float:
  """CSIM between the portraits: what another person would get."""
  images = np.stack(list(portraits.values()))
  faces = net(images, judge(images).landmarks)
  pairs = np.triu_indices(len(faces), 1)
  return metrics.mean((faces @ faces.T)[pairs])
