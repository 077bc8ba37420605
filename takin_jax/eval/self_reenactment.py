"""`self`: frames of a clip from another frame of the same clip.

Two sets of frames of the held-out people: pairs far apart in time, for the
pictures' quality; and frames with the mouth and the lids at their extremes,
made from the clip's most closed mouth, for what the face does.
"""

import argparse
from collections.abc import Callable

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import tqdm

from takin_jax import renderer
from takin_jax.data import pipeline
from takin_jax.eval import clips as clips_lib
from takin_jax.eval import metrics
from takin_jax.eval.candidate import Candidate
from takin_jax.eval.judge import Judge, Readings
from takin_jax.eval.report import Report, Table, sheet
from takin_jax.ops.geometry import transform_keypoints

HELP = 'frames of a clip from another frame of the same clip'
ROWS = {
  'own': 'own motion extractor',
  'teacher': 'landmarks for keypoints',
  'copy': 'copy of the source',
}
_GROUPS = ('appearance', 'motion', 'warping', 'generator')

Arrays = dict[str, np.ndarray]


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Options of this subcommand."""
  add = parser.add_argument
  add('--frames', type=int, default=8, help='per clip, evenly spaced')


def run(args: argparse.Namespace, candidate: Candidate, judge: Judge) -> Report:
  """Makes the frames and measures them."""
  candidate.need(*_GROUPS)
  clips = clips_lib.load(
    args.records, candidate.size_px, args.split, args.clips
  )
  reenact = _reenact(candidate)
  pairs = far_pairs(clips)
  frames = judged_frames(clips, args.frames)
  made = {name: reenact(name, frames) for name in ROWS}
  quality = {
    name: _quality(pairs, reenact(name, pairs))
    for name in tqdm.tqdm(ROWS, desc='pairs', disable=None)
  }
  want = judge(frames['driving'])
  seen = {
    name: judge(images)
    for name, images in tqdm.tqdm(made.items(), desc='faces', disable=None)
  }
  missing = metrics.lpips_missing()
  every = np.ones(len(frames['even']), bool)
  rows, even_rows = {}, {}
  for name, label in ROWS.items():
    moves = _moves(want, seen[name], frames['clip'], every)
    rows[label] = moves | _quality(frames, made[name])
    even_rows[label] = _moves(want, seen[name], frames['clip'], frames['even'])
  return Report(
    command='self',
    settings={
      'weights': args.weights,
      'clips': [clip.id for clip in clips],
      'frames': args.frames,
    },
    tables={
      'pairs': Table(
        f'Picture: {len(pairs["clip"])} pairs, source: first frame',
        {ROWS[name]: row for name, row in quality.items()},
        'Driving frames at '
        + ', '.join(f'{100 * f:.0f} %' for f in pipeline.EVAL_FRACTIONS)
        + ' of the clips; the mouth is a square of 3/8 of the side.',
      ),
      'moves': Table(
        f'Face: {len(every)} frames, source: most closed mouth',
        rows,
        'Openings by MediaPipe on the output against the driving frame, '
        'within clips; gain: slope, 1 is ideal. Evenly spaced frames and those '
        'with lips and lids most open and most closed, but the source.',
      ),
      'moves_even': Table('The same, evenly spaced frames only', even_rows),
    },
    sheet=_sheet(frames, made),
    not_measured={'LPIPS': missing} if missing else {},
    details={
      'driving': _curves(want),
      **{name: _curves(readings) for name, readings in seen.items()},
      'clip': frames['clip'],
      'frame': frames['frame'],
    },
  )


def far_pairs(clips: list[clips_lib.Clip]) -> Arrays:
  """First frame to frames far from it, as in training's own figures."""
  rows = []
  for number, clip in enumerate(clips):
    for fraction in pipeline.EVAL_FRACTIONS:
      driving = clip.found[int(fraction * len(clip.found))]
      rows.append(_pair(clip, number, clip.found[0], driving))
  return _stack(rows)


def judged_frames(clips: list[clips_lib.Clip], count: int) -> Arrays:
  """Most closed mouth to evenly spaced frames and to the extremes."""
  rows = []
  for number, clip in enumerate(clips):
    even = clip.even(count)
    extremes = [
      clip.extreme(what, pick)
      for what in ('lips', 'lids')
      for pick in (np.argmin, np.argmax)
    ]
    frames = np.unique([*even, *extremes])
    for frame in frames[frames != clip.closed]:
      row = _pair(clip, number, clip.closed, frame)
      rows.append(row | {'even': frame in even})
  return _stack(rows)


def _pair(
  clip: clips_lib.Clip, number: int, source: int, driving: int
) -> Arrays:
  geo = clip.geo.frames
  return {
    'source': clip.image(source),
    'driving': clip.image(driving),
    'source_x': geo['x'][source],
    'driving_x': geo['x'][driving],
    'lips': geo['lips'][driving, 0],
    'lids': geo['lids'][driving, 0],
    'clip': number,
    'frame': driving,
  }


def _stack(rows: list[Arrays]) -> Arrays:
  return {key: np.stack([row[key] for row in rows]) for key in rows[0]}


def _reenact(candidate: Candidate) -> Callable[[str, Arrays], np.ndarray]:
  """Makes `f(row name, arrays of pairs) -> [N, H, W, 3] uint8`."""
  model = candidate.config.model
  params = {group: candidate.params[group] for group in _GROUPS}
  params = jax.device_put(params, candidate.device)

  @jax.jit
  def own(params, source, driving):
    source, driving = (x.astype(jnp.float32) / 255 for x in (source, driving))
    encoded = renderer.encode_source(model, params, source)
    _, motion = renderer.extract_motion(model, params, driving)
    kp = transform_keypoints(encoded.kp, motion)
    return _to_uint8(renderer.render(model, params, encoded, kp))

  @jax.jit
  def teacher(params, source, source_x, driving_x):
    source = source.astype(jnp.float32) / 255
    features = renderer.encode_source(model, params, source).features
    frame = renderer.warp_and_generate(
      model, params, source, features, source_x, driving_x
    )
    return _to_uint8(frame['image'])

  def reenact(name: str, pairs: Arrays) -> np.ndarray:
    if name == 'copy':
      return pairs['source']
    function, keys = {
      'own': (own, ('source', 'driving')),
      'teacher': (teacher, ('source', 'source_x', 'driving_x')),
    }[name]
    images = metrics.in_batches(
      lambda *arrays: function(params, *arrays), *(pairs[k] for k in keys)
    )
    return np.stack([_fit(x, pairs['driving'].shape[1]) for x in images])

  return reenact


def _to_uint8(image: jax.Array) -> jax.Array:
  return (jnp.clip(image, 0.0, 1.0) * 255.0 + 0.5).astype(jnp.uint8)


def _fit(image: np.ndarray, size_px: int) -> np.ndarray:
  """Frames larger than the clip's are reduced to it."""
  if len(image) == size_px:
    return image
  return cv2.resize(image, (size_px,) * 2, interpolation=cv2.INTER_AREA)


def _quality(pairs: Arrays, made: np.ndarray) -> dict[str, float]:
  """How alike pictures and mouths are."""
  truth, x = pairs['driving'], pairs['driving_x']
  mouths = (metrics.mouth_crops(images, x) for images in (made, truth))
  out = {}
  if metrics.lpips_missing() is None:
    out['lpips'] = metrics.mean(metrics.lpips(made, truth))
    out['lpips_mouth'] = metrics.mean(metrics.lpips(*mouths))
  out['psnr'] = metrics.mean(metrics.psnr(made, truth))
  out['ssim'] = metrics.mean(metrics.ssim(made, truth))
  return out


def _curves(seen: Readings) -> Arrays:
  return {
    'lips': seen.lips,
    'lids': seen.lids,
    'width': seen.mouth_width,
    'yaw': seen.yaw,
  }


def _moves(
  want: Readings, got: Readings, clip: np.ndarray, keep: np.ndarray
) -> dict[str, float]:
  """How lips, lids, mouth corners and head follow the driving frames."""
  out = {}
  wanted, made = _curves(want), _curves(got)
  for name, curve in wanted.items():
    found = metrics.follow(curve[keep], made[name][keep], clip[keep])
    out |= {f'{name}_{key}': value for key, value in found.items()}
  return out | {'found': float(got.found[keep].mean())}


def _sheet(frames: Arrays, made: Arrays) -> np.ndarray:
  """Every clip with its widest mouth and its most closed eyes."""
  rows = []
  for number in np.unique(frames['clip']):
    places = np.flatnonzero(frames['clip'] == number)
    lips, lids = (frames[what][places] for what in ('lips', 'lids'))
    row = [frames['source'][places[0]]]
    for i in (places[np.argmax(lips)], places[np.argmin(lids)]):
      row += [frames['driving'][i], made['own'][i], made['teacher'][i]]
    rows.append(row)
  one = ['driving', 'own', 'landmarks']
  return sheet(rows, ['source', *one, *one])
