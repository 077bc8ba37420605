"""`--emotion auto`: the emotion that the speech sounds like.

In: the last seconds of sound. Out: the named expressions, mixed by how probable
the weights' reader finds them, and nearer to neutral the less sure it is.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from takin_jax import audio_to_motion
from takin_jax.errors import InputError
from takin_jax.face import SAMPLES_PER_FRAME
from takin_jax.infer.emotion import Known, strengthened
from takin_jax.models import emotion_reader


class AutoEmotion:
  """Listens; a function as `Session` wants it for what changes.

  Args:
    config: of the weights.
    params: their groups; `speech`, `emotions` and `emotion_reader` are used.
    scale: factor on the emotion.

  Raises:
    InputError: the weights have no reader.
  """

  def __init__(self, config: Any, params: dict[str, Any], scale: float = 1.0):
    known: Known = params.get('emotions', {})
    reader = params.get(emotion_reader.GROUP, {})
    reader = {name: part for name, part in reader.items() if name in known}
    if not reader or 'speech' not in params:
      raise InputError(
        f'--emotion auto: the weights of {config.name!r} cannot tell emotions '
        f'from sound; name one of {", ".join(sorted(known)) or "none"}, or '
        'teach them with python -m takin_jax.train.release.emotions.'
      )
    self._known, self._scale = known, scale
    self._params = {'speech': params['speech'], emotion_reader.GROUP: reader}
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
  heard = emotion_reader.features(
    audio_to_motion.encode_window(model, params, wave)
  )
  found = emotion_reader.probabilities(params[emotion_reader.GROUP], heard)
  return {name: jnp.squeeze(share) for name, share in found.items()}
