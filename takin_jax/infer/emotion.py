"""What to show: a named emotion, one read off a picture, several in turn.

In: what the user wrote, and the weights' named expressions. Out: a mean
expression, or a function that gives one for every moment.
"""

from collections.abc import Callable, Mapping
import dataclasses
import re

import numpy as np

from takin_jax.errors import InputError

FADE_S = 0.5  # from one emotion of a timeline to the next
AUTO = 'auto'
_EXAMPLE = '0:neutral,2.5:happy:1.5'
_NUMBER = re.compile(r'[-+.\d]')

Known = Mapping[str, np.ndarray]
# (seconds, sound heard so far at 16 kHz) -> [3K] mean expression.
Changing = Callable[[float, np.ndarray], np.ndarray]
Emotion = np.ndarray | Changing


@dataclasses.dataclass(frozen=True)
class Timeline:
  """Emotions that follow one another.

  Attributes:
    starts_s: [N] when each begins, the first at 0.
    vectors: [N, 3K] mean expressions.
  """

  starts_s: np.ndarray
  vectors: np.ndarray

  def __call__(self, time_s: float, heard: np.ndarray) -> np.ndarray:
    """[3K] mean expression; an emotion is there `FADE_S` after its start."""
    del heard
    out = self.vectors[0]
    for start_s, vector in zip(
      self.starts_s[1:], self.vectors[1:], strict=True
    ):
      share = np.clip((time_s - start_s) / FADE_S, 0.0, 1.0)
      out = out + np.float32(share) * (vector - out)
    return out


def parse(text: str, known: Known, scale: float = 1.0) -> Emotion:
  """`NAME[:scale]`, or a timeline of them such as `0:neutral,2.5:happy:1.5`.

  Args:
    text: what the user wrote.
    known: [3K] mean expressions by name.
    scale: factor on all scales.

  Raises:
    InputError: unknown name, a scale that is no number, no timeline.
  """
  if ',' not in text and not _NUMBER.match(text):
    return named(text, known, scale)
  starts_s, vectors = [], []
  for part in text.split(','):
    time, _, name = part.strip().partition(':')
    try:
      starts_s.append(float(time))
    except ValueError:
      name = ''
    if not name:
      raise InputError(
        f'--emotion {text}: {part.strip()!r} is not SECONDS:NAME[:scale]; '
        f'write for example {_EXAMPLE}.'
      )
    vectors.append(named(name, known, scale))
  if starts_s[0] != 0 or not (np.diff(starts_s) > 0).all():
    raise InputError(
      f'--emotion {text}: the seconds must begin with 0 and rise, as in '
      f'{_EXAMPLE}.'
    )
  return Timeline(np.array(starts_s), np.stack(vectors))


def named(text: str, known: Known, scale: float = 1.0) -> np.ndarray:
  """`NAME[:scale]` -> [3K] mean expression of that emotion.

  A scale other than 1 leads from the neutral expression towards (or past) the
  emotion's.

  Args:
    text: such as `happy` or `sad:0.5`.
    known: [3K] expressions by name.
    scale: another factor.

  Raises:
    InputError: unknown name, or a scale that is no number.
  """
  name, _, own = text.partition(':')
  if not known:
    raise InputError(f'These weights know no emotions, so not {name!r}.')
  if name not in known:
    raise InputError(
      f'Unknown emotion {name!r}: these weights know '
      f'{", ".join(sorted(known))}.'
    )
  try:
    factor = float(own) if own else 1.0
  except ValueError:
    factor = float('nan')
  if not np.isfinite(factor):
    raise InputError(f'The scale of --emotion {text} is not a number.')
  return strengthened(known[name], known, factor * scale)


def strengthened(vector: np.ndarray, known: Known, scale: float) -> np.ndarray:
  """[3K] as far from the neutral expression as `scale` says."""
  rest = known.get('neutral', np.zeros_like(vector))
  return np.asarray(rest + scale * (vector - rest), np.float32)
