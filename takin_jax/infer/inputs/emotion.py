"""What to show: a named emotion, several in turn, or one that is heard.

In: what a caller gave, and the weights. Out: a mean expression, or a function
that gives one for every moment.
"""

from collections.abc import Callable, Mapping
import dataclasses
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.audio_to_motion import encode_window
from takin_jax.errors import InputError
from takin_jax.face import HEAD_DIM, SAMPLES_PER_FRAME
from takin_jax.models import emotion_reader

FADE_S = 0.5  # from one emotion of a timeline to the next
AUTO = 'auto'
_MOST = 10  # times an emotion
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


def resolve(
  wanted: str | Emotion,
  config: Any,
  params: dict[str, Any],
  scale: float = 1.0,
  device: jax.Device | None = None,
) -> Emotion | None:
  """What a caller gave as an emotion -> what a session takes.

  Args:
    wanted: a name, a timeline, `auto`, an expression [3K] or a function; '':
      none.
    config: of the weights.
    params: their parameters by group.
    scale: factor on the emotion.
    device: where to listen; None: JAX's default.

  Raises:
    InputError: these weights do not know it.
  """
  known = params.get('emotions', {})
  if callable(wanted):
    return wanted
  if isinstance(wanted, str):
    if wanted == AUTO:
      return HeardEmotion(config, params, scale, device)
    return parse(wanted, known, scale) if wanted else None
  vector, stats = np.asarray(wanted, np.float32), params.get('stats')
  exp_dim = stats['mean'].shape[0] - HEAD_DIM if stats else vector.size
  if vector.shape != (exp_dim,) or not np.isfinite(vector).all():
    raise InputError(
      f'An array {list(vector.shape)} is no expression of these weights: that '
      f'is [{exp_dim}] of finite numbers.',
      'emotion',
    )
  return strengthened(vector, known, scale)


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
        f'{text}: {part.strip()!r} is not SECONDS:NAME[:scale]; write for '
        f'example {_EXAMPLE}.',
        'emotion',
      )
    vectors.append(named(name, known, scale))
  if starts_s[0] != 0 or not (np.diff(starts_s) > 0).all():
    raise InputError(
      f'{text}: the seconds must begin with 0 and rise, as in {_EXAMPLE}.',
      'emotion',
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
    raise InputError(
      f'These weights know no emotions, so not {name!r}.', 'emotion'
    )
  if name not in known:
    raise InputError(
      f'Unknown emotion {name!r}: these weights know '
      f'{", ".join(sorted(known))}.',
      'emotion',
    )
  try:
    factor = float(own) if own else 1.0
  except ValueError:
    factor = float('nan')
  if not -_MOST <= factor <= _MOST:  # also if it is not a number
    raise InputError(
      f'The scale of {text} is not a number from {-_MOST} to {_MOST}.',
      'emotion',
    )
  return strengthened(known[name], known, factor * scale)


def strengthened(vector: np.ndarray, known: Known, scale: float) -> np.ndarray:
  """[3K] as far from the neutral expression as `scale` says."""
  rest = known.get('neutral', np.zeros_like(vector))
  return np.asarray(rest + scale * (vector - rest), np.float32)


class HeardEmotion:
  """The emotion that the last seconds of speech sound like.

  The named expressions, mixed by how probable the weights' reader finds them,
  and nearer to neutral the less sure it is.

  Args:
    config: of the weights.
    params: their groups; `speech`, `emotions` and `emotion_reader` are used.
    scale: factor on the emotion.
    device: where to run; None: JAX's default.

  Raises:
    InputError: the weights have no reader.
  """

  def __init__(
    self,
    config: Any,
    params: dict[str, Any],
    scale: float = 1.0,
    device: jax.Device | None = None,
  ):
    known = params.get('emotions', {})
    reader = params.get(emotion_reader.GROUP, {})
    reader = {name: part for name, part in reader.items() if name in known}
    if not reader or 'speech' not in params:
      raise InputError(
        f'The weights of {config.name!r} cannot tell emotions from sound; name '
        f'one of {", ".join(sorted(known)) or "none"}, or teach them with '
        'python -m takin_jax.train.release.emotions.',
        'emotion',
      )
    self._known, self._scale = known, scale
    chosen = {'speech': params['speech'], emotion_reader.GROUP: reader}
    self._params = jax.device_put(chosen, device)
    self._read = jax.jit(lambda p, wave: _probabilities(config.model, p, wave))

  def __call__(self, time_s: float, heard: np.ndarray) -> np.ndarray:
    """[3K] mean expression for what was heard last."""
    del time_s
    samples = emotion_reader.FRAMES * SAMPLES_PER_FRAME
    wave = np.pad(heard, (max(samples - len(heard), 0), 0))[-samples:]
    found = jax.device_get(self._read(self._params, wave))
    mixed = sum(share * self._known[name] for name, share in found.items())
    return strengthened(mixed, self._known, self._scale * certainty(found))


def certainty(found: dict[str, Any]) -> float:
  """1 where one emotion has all the probability, 0 where all are alike."""
  shares = np.array(list(found.values()), float)
  if len(shares) < 2:
    return 0.0
  entropy = -np.sum(shares * np.log(np.maximum(shares, 1e-9)))
  return float(1.0 - entropy / np.log(len(shares)))


def _probabilities(
  model: Any, params: dict[str, Any], wave: jax.Array
) -> dict[str, jax.Array]:
  heard = emotion_reader.features(encode_window(model, params, wave))
  found = emotion_reader.probabilities(params[emotion_reader.GROUP], heard)
  return {name: jnp.squeeze(share) for name, share in found.items()}
