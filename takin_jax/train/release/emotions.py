"""Emotions for a weights folder, from the labelled clips of the train people.

  python -m takin_jax.train.release.emotions --records records \
    --weights my_weights

Writes the named expressions (`emotions`; training stage 2 does so, too) and,
for `--emotion auto`, a linear discriminant on the speech encoder's states
(`emotion_reader`). That one is measured first on people left out of it, and
only kept if it is better than guessing. Unlabelled speech counts as neutral.
"""

import argparse
from collections.abc import Sequence
import dataclasses
import sys
from typing import Any

import jax
import numpy as np

from takin_jax import audio_to_motion, compilation, weights
from takin_jax.cli.errors import command
from takin_jax.data.batches import motion_clips, motion_windows
from takin_jax.data.batches.motion_clips import MotionClip
from takin_jax.data.faces.blendshapes import NEUTRAL
from takin_jax.data.speech import recordings
from takin_jax.models import emotion_reader

_HOP = 38  # frames from window to window
_BATCH = 8
_SHRINK = 0.5  # of the covariance towards a multiple of unity


@dataclasses.dataclass(frozen=True)
class Heard:
  """Windows of speech.

  Attributes:
    features: [N, F] of the speech encoder.
    emotions: [N] their labels.
    people: [N] who speaks.
  """

  features: np.ndarray
  emotions: np.ndarray
  people: np.ndarray

  def __getitem__(self, chosen: np.ndarray) -> 'Heard':
    return Heard(*(x[chosen] for x in dataclasses.astuple(self)))


def encode_clips(clips: Sequence[MotionClip], model: Any, params: Any) -> Heard:
  """Encodes the speech of the clips, window by window."""
  count = recordings.sample_count(2 * emotion_reader.FRAMES)

  @jax.jit
  def encode(waves: jax.Array) -> jax.Array:
    states = audio_to_motion.encode_speech(model, params, waves)
    return emotion_reader.features(states)

  waves, emotions, people = [], [], []
  for clip in clips:
    last = max(len(clip.motion) - emotion_reader.FRAMES, 0)
    for start in range(0, (last if clip.speech else -1) + 1, _HOP):
      waves.append(motion_windows.sound(clip, start, count, 1.0))
      emotions.append(NEUTRAL if clip.emotion in ('-', '') else clip.emotion)
      people.append(clip.person)
  rest = -len(waves) % _BATCH
  parts = np.pad(np.array(waves, 'f'), ((0, rest), (0, 0)))
  parts = parts.reshape(-1, _BATCH, count)
  features = [np.asarray(encode(part)) for part in parts]
  features = np.concatenate(features)[: len(waves)]
  return Heard(features, np.array(emotions), np.array(people))


def fit(heard: Heard) -> dict[str, dict[str, np.ndarray]]:
  """Linear discriminant with equal priors: its parameters by emotion."""
  names, index = np.unique(heard.emotions, return_inverse=True)
  means = np.stack(
    [heard.features[index == i].mean(0) for i in range(len(names))]
  )
  inner = heard.features - means[index]
  covariance = inner.T @ inner / len(inner)
  level = max(np.trace(covariance) / len(covariance), 1e-12)
  covariance *= 1 - _SHRINK
  covariance[np.diag_indices_from(covariance)] += _SHRINK * level
  kernels = np.linalg.solve(covariance, means.T).T
  biases = -0.5 * np.sum(kernels * means, -1)
  return {
    str(name): {'kernel': kernel, 'bias': bias}
    for name, kernel, bias in zip(names, kernels, biases, strict=True)
  }


def left_out(heard: Heard) -> dict[str, float]:
  """Share of windows told right by emotion, of people not learnt from."""
  told = np.zeros(len(heard.people), bool)
  for person in np.unique(heard.people):
    own = heard.people == person
    reader = fit(heard[~own])
    found = emotion_reader.probabilities(reader, heard.features[own])
    names = np.array(list(found))
    best = np.argmax(np.stack(list(found.values())), 0)
    told[own] = names[best] == heard.emotions[own]
  return {
    str(name): float(told[heard.emotions == name].mean())
    for name in np.unique(heard.emotions)
  }


def read_emotions(heard: Heard) -> tuple[dict[str, Any], str]:
  """The reader, empty if it is of no use, and how well it does."""
  people = {
    str(name): len(np.unique(heard.people[heard.emotions == name]))
    for name in np.unique(heard.emotions)
  }
  counts = ', '.join(f'{name} {count}' for name, count in people.items())
  enough = [name for name, count in people.items() if count > 1]
  if len(enough) < 2:
    return {}, (
      'No emotions from sound: that needs two emotions that two people speak '
      f'(people by emotion: {counts or "none"}).'
    )
  heard = heard[np.isin(heard.emotions, enough)]
  told = left_out(heard)
  rate, chance = np.mean(list(told.values())), 1 / len(told)
  # Of guessing, if every person were one guess.
  spread = np.sqrt(chance * (1 - chance) / len(np.unique(heard.people)))
  figures = ', '.join(f'{name} {share:.2f}' for name, share in told.items())
  text = (
    f'People left out: {rate:.3f} told right, guessing {chance:.3f} +- '
    f'{spread:.3f} ({figures}; people by emotion: {counts})'
  )
  if rate <= chance + 2 * spread:
    return {}, f'No emotions from sound. {text}: not better than guessing.'
  return fit(heard), f'Emotions from sound. {text}.'


def update(records: str, folder: str, cache: str = '') -> str:
  """Writes both groups into a weights folder; returns what was found."""
  config, params = weights.load(folder)
  clips = motion_clips.load_clips(records, cached=cache)
  params['emotions'] = motion_clips.named_emotions(clips)
  params.pop(emotion_reader.GROUP, None)
  text = 'No emotions from sound: the weights have no speech encoder.'
  if 'speech' in params:
    talking = [clip for clip in clips if clip.speech]
    reader, text = {}, 'No emotions from sound: no clip has speech.'
    if talking:
      reader, text = read_emotions(
        encode_clips(talking, config.model, {'speech': params['speech']})
      )
    if reader:
      params[emotion_reader.GROUP] = reader
  weights.save(weights.folder(folder), config, params)
  return f'{", ".join(params["emotions"])} written. {text}'


@command('takin_jax.train.release.emotions')
def main(argv: Sequence[str] | None = None) -> int:
  """Command line; returns the exit code."""
  parser = argparse.ArgumentParser(description='Emotions for weights.')
  add = parser.add_argument
  add('--records', required=True, metavar='DIR')
  add('--weights', required=True, metavar='DIR|NAME', help='changed in place')
  add('--cache', default='', metavar='DIR', help='that stage 2 learnt from')
  args = parser.parse_args(argv)
  compilation.enable_cache()
  print(f'{args.weights}: {update(args.records, args.weights, args.cache)}')
  return 0


if __name__ == '__main__':
  sys.exit(main())
