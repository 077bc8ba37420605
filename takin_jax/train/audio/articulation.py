"""Fits what speech tells of the expression, linearly.

  python -m takin_jax.train.audio.articulation --records records \
    --speech runs/speech --out runs/articulation

In: records and a trained speech encoder. Out: a weights folder with the group
`articulation`, for `train.init_from` of stage 2, whose config has the block
`model.articulation`. A ridge regression in closed form, over the people of
split `train`; nobody counts much more because they speak longer, and both
sides of a face move alike.
"""

import argparse
from collections.abc import Iterable, Iterator, Sequence
import dataclasses
import sys
from typing import Any

import jax
from ml_collections import ConfigDict
import numpy as np
import tqdm

from takin_jax import audio_to_motion, compilation, face, weights
from takin_jax.cli.errors import command
from takin_jax.config import build
from takin_jax.data.batches import motion_windows
from takin_jax.data.batches.joined_clips import load_joined
from takin_jax.data.batches.motion_clips import MotionClip
from takin_jax.models.articulation import ArticulationConfig
from takin_jax.train.audio.extract import open_group

# Frames that are heard around those that are learnt from, as in inference.
_PAST, _WINDOW, _LOOK_AHEAD = 25, 125, 10
# Of a joined clip, parts of so many frames know their own mean expression.
_OWN_MEAN = 60
_POWER = 0.6  # a person counts by frames ** 0.6
_SHRINKAGE = 0.5  # of the mean power of the states


@dataclasses.dataclass(frozen=True)
class Heard:
  """Speech of one clip beside its expressions.

  Attributes:
    person: who speaks.
    states: [T, E] last states of the encoder, two by two averaged.
    exp: [T, 63] expression less its mean.
  """

  person: str
  states: np.ndarray
  exp: np.ndarray


def hear(
  clips: Iterable[MotionClip], model: ConfigDict, params: Any
) -> Iterator[Heard]:
  """Encodes the speech of the clips."""
  frames = _PAST + _WINDOW + _LOOK_AHEAD

  @jax.jit
  def encode(wave: jax.Array) -> jax.Array:
    states = audio_to_motion.encode_window(model, params, wave)[-1, 0]
    return states.reshape(frames, 2, -1).mean(1)[_PAST : _PAST + _WINDOW]

  samples = frames * face.SAMPLES_PER_FRAME
  for clip in clips:
    states = [
      encode(motion_windows.sound(clip, start - _PAST, samples, 1.0))
      for start in range(0, len(clip.motion), _WINDOW)
    ]
    states = np.concatenate(states)[: len(clip.motion)]
    yield Heard(clip.person, states, _change(clip))


def _change(clip: MotionClip) -> np.ndarray:
  """[T, 63] how the expression differs from its mean."""
  exp, parts = clip.motion[:, face.EXP].astype(np.float64), clip.parts
  for part in np.unique(parts):
    if (parts == part).sum() >= _OWN_MEAN:
      exp[parts == part] -= exp[parts == part].mean(0)
  return exp - exp.mean(0)


def fit(
  heard: Sequence[Heard], cfg: ArticulationConfig, shrinkage: float = _SHRINKAGE
) -> dict[str, Any]:
  """The parameters of `Articulation`.

  Args:
    heard: speech of many people.
    cfg: sizes.
    shrinkage: of the map, relative to the mean power of what is heard.
  """
  mean = np.concatenate([h.states for h in heard]).mean(0)
  people: dict[str, list[Any]] = {}
  for clip in heard:
    x, y = _around(clip.states - mean, cfg.frames), clip.exp
    own = people.setdefault(clip.person, [0.0, 0.0, 0])
    own[:] = own[0] + x.T @ x, own[1] + x.T @ y, own[2] + len(y)
  weight = {person: own[2] ** (_POWER - 1) for person, own in people.items()}
  gram = sum(weight[person] * own[0] for person, own in people.items())
  cross = sum(weight[person] * own[1] for person, own in people.items())
  gram += shrinkage * np.trace(gram) / len(gram) * np.eye(len(gram))
  matrix = np.linalg.solve(gram, cross).reshape(cfg.frames, len(mean), -1)
  matrix = (matrix + _mirrored(matrix)) / 2
  kernel = np.repeat(matrix / 2, 2, 0)  # a frame is the mean of two states
  bias = -np.einsum('e,fek->k', mean, matrix)
  conv = {'kernel': kernel, 'bias': bias}
  return {'conv': {k: v.astype(np.float32) for k, v in conv.items()}}


def _mirrored(exp: np.ndarray) -> np.ndarray:
  points = exp.reshape(*exp.shape[:-1], -1, 3)
  return face.mirror_points(points).reshape(exp.shape)


def _around(states: np.ndarray, frames: int) -> np.ndarray:
  """[T, E] -> [T, frames * E]: every frame with its neighbours."""
  reach, count = frames // 2, len(states)
  padded = np.pad(states.astype(np.float64), ((reach, reach), (0, 0)), 'edge')
  return np.concatenate([padded[i : i + count] for i in range(frames)], -1)


def update(records: str, speech: str, out: str, join_below: int) -> str:
  """Writes the weights folder; returns what it was fitted to."""
  model, params = open_group(speech, 'speech')
  clips = load_joined(records, 'train', '', join_below, 2 * join_below)
  clips = [clip for clip in clips if clip.speech]
  bar = tqdm.tqdm(clips, unit='clip', disable=None)
  heard = list(hear(bar, model, jax.device_put(params)))
  cfg = build(ArticulationConfig)
  group = audio_to_motion.ARTICULATION
  config = {'name': group, 'model': {group: dataclasses.asdict(cfg)}}
  weights.save(out, config, {group: fit(heard, cfg)})
  people, frames = (
    len({h.person for h in heard}),
    sum(len(h.exp) for h in heard),
  )
  seconds = frames / face.FRAME_RATE_HZ
  return f'{out}: fitted to {seconds:.0f} s of speech of {people} people.'


@command('takin_jax.train.audio.articulation')
def main(argv: Sequence[str] | None = None) -> int:
  """Command line; returns the exit code."""
  parser = argparse.ArgumentParser(description='What speech tells linearly.')
  add = parser.add_argument
  add('--records', required=True, metavar='DIR')
  add('--speech', required=True, metavar='RUN|DIR|NAME')
  add('--out', required=True, metavar='DIR')
  add('--join-below', type=int, default=125, help='frames; joined by person')
  args = parser.parse_args(argv)
  compilation.enable_cache()
  print(update(args.records, args.speech, args.out, args.join_below))
  return 0


if __name__ == '__main__':
  sys.exit(main())
