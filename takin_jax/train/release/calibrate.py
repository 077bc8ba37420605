"""Openings of mouth and eyes that the extractor reads too small, put right.

  python -m takin_jax.train.release.calibrate --records records \
    --weights my_weights

A regression that is unsure stays near the mean: openings vary less than the
landmarker's. Here they are read off the train people's clips, moved by the
source frame's canonical keypoints as in use, and the last layer is changed so
that they vary as much (slope 1). Repeated, it changes nothing more.
"""

import argparse
from collections.abc import Sequence
import sys
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from takin_jax import compilation, renderer, weights
from takin_jax.cli.errors import command
from takin_jax.data.batches import frame_pairs
from takin_jax.data.faces import geometry
from takin_jax.errors import InputError
from takin_jax.face import INNER_LIPS, LIDS, MOUTH_CORNERS, OUTER_LIPS, gaps
from takin_jax.ops.geometry import transform_keypoints
from takin_jax.train.motion.evaluate import within_clip

Params = dict[str, Any]
_X, _Y = 0, 1


class Opening(NamedTuple):
  """Pairs of keypoints, the upper ones first, that part along an axis."""

  pairs: Sequence[tuple[int, int]]
  axis: int = _Y


OPENINGS = {
  'outer lips': Opening((OUTER_LIPS,)),
  'inner lips': Opening((INNER_LIPS,)),
  'mouth width': Opening((MOUTH_CORNERS,), _X),
  'lids': Opening(LIDS),
}
_BATCH = 8


def read(
  model: Any, params: Params, pairs: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
  """Runs the extractor on pairs of frames of one clip each.

  Args:
    model: config block.
    params: has the group `motion`.
    pairs: of `frame_pairs.eval_pairs`.

  Returns:
    [N, K, 3] keypoints of the driving frames with the sources' canonical
    ones, and [N, K, 3] their expressions.
  """

  @jax.jit
  def run(params, source, driving):
    source, driving = map(renderer.to_float, (source, driving))
    kp, _ = renderer.extract_motion(model, params, source)
    _, motion = renderer.extract_motion(model, params, driving)
    return transform_keypoints(kp, motion), motion.exp

  count, out = len(pairs['source']), []
  for start in range(0, count, _BATCH):
    index = np.minimum(np.arange(start, start + _BATCH), count - 1)
    images = (pairs[k][index] for k in ('source', 'driving'))
    found = run(params, *map(jnp.asarray, images))
    out.append([np.asarray(x)[: count - start] for x in found])
  x, exp = (np.concatenate(part) for part in zip(*out, strict=True))
  return x, exp


def slope(
  x: np.ndarray, want: np.ndarray, clip: np.ndarray, opening: Opening
) -> float:
  """Of the openings in x over those in `want` [N, K, 3], within clips."""
  got, true = (within_clip(clip, gap(points, opening)) for points in (x, want))
  return float((got * true).sum() / np.square(true).sum())


def gap(points: np.ndarray, opening: Opening) -> np.ndarray:
  """[..., K, 3] -> [...] mean distance of the second from the first ones."""
  return gaps(points, opening.pairs, opening.axis).mean(-1)


def widen(
  head: dict[str, np.ndarray], exp: np.ndarray, opening: Opening, factor: float
) -> dict[str, np.ndarray]:
  """The last layer with openings `factor` times as far from their mean.

  Args:
    head: kernel [F, 3 K] and bias [3 K] of the expression.
    exp: [N, K, 3] expressions that it gave.
    opening: which ones.
    factor: 1: as it was.
  """
  num_kp, axis = exp.shape[1], opening.axis
  kernel = np.array(head['kernel']).reshape(-1, num_kp, 3)
  bias = np.array(head['bias']).reshape(num_kp, 3)
  for upper, lower in opening.pairs:
    apart = kernel[:, lower, axis] - kernel[:, upper, axis]
    more = 0.5 * (factor - 1) * apart
    usual = gap(exp, Opening([(upper, lower)], axis)).mean()
    shift = bias[lower, axis] - bias[upper, axis] - usual
    shift *= 0.5 * (factor - 1)
    kernel[:, lower, axis] += more
    kernel[:, upper, axis] -= more
    bias[lower, axis] += shift
    bias[upper, axis] -= shift
  return {'kernel': kernel.reshape(len(kernel), -1), 'bias': bias.reshape(-1)}


def update(records: str, folder: str) -> str:
  """Changes a weights folder; returns what was found."""
  config, params = weights.load(folder)
  if 'motion' not in params:
    raise InputError(f'{folder} has no motion extractor: export stage 1 to it.')
  pairs = frame_pairs.eval_pairs(
    records,
    split='train',
    fractions=np.linspace(0.02, 0.98, 16),
    size_px=config.model.image_size,
    landmarks=tuple(geometry.LANDMARKS.tolist()),
  )
  x, exp = read(config.model, {'motion': params['motion']}, pairs)
  found = []
  for name, opening in OPENINGS.items():
    measured = slope(x, pairs['driving_x'], pairs['clip'], opening)
    if measured <= 0.3:
      raise InputError(
        f'The extractor of {folder} hardly reads the {name} (slope '
        f'{measured:.2f}): train it longer.'
      )
    head = params['motion']['fc_exp']
    params['motion']['fc_exp'] = widen(head, exp, opening, 1 / measured)
    found.append(f'{name} {measured:.2f}')
  weights.save(weights.folder(folder), config, params)
  return 'slopes before, now 1: ' + ', '.join(found)


@command('takin_jax.train.release.calibrate')
def main(argv: Sequence[str] | None = None) -> int:
  """Command line; returns the exit code."""
  parser = argparse.ArgumentParser(description='Calibrates the extractor.')
  add = parser.add_argument
  add('--records', required=True, metavar='DIR')
  add('--weights', required=True, metavar='DIR|NAME', help='changed in place')
  args = parser.parse_args(argv)
  compilation.enable_cache()
  print(f'{args.weights}: {update(args.records, args.weights)}')
  return 0


if __name__ == '__main__':
  sys.exit(main())
