"""A yardstick for lips without a real video: lip opening guessed from sound.

In: sound. Out: how open lips should be, frame by frame, up to scale and offset.
It is fitted to real clips and knows nothing of the weights under test: ridge
regression on mel energies around the frame. `takin_jax.data.speech.lip_probe`,
which preparing data uses, is coarser: it hears less, and needs no clips.
"""

from collections.abc import Sequence
import dataclasses

import jax.numpy as jnp
import numpy as np

from takin_jax.face import SAMPLES_PER_FRAME
from takin_jax.ops import mel

_BANDS = 40
_CONTEXT = 5  # frames of sound on either side
_RIDGE = 1.0  # of the number of frames, for features of unit variance
_MIN_FRAMES = 50


@dataclasses.dataclass(frozen=True)
class SpeechProbe:
  """Weights of the regression.

  Attributes:
    mean: [D] of the features.
    std: [D].
    weights: [D].
  """

  mean: np.ndarray
  std: np.ndarray
  weights: np.ndarray

  def __call__(self, sound: np.ndarray) -> np.ndarray:
    """[S] float32 at 16 kHz -> [T] lip opening, one for every 640 samples."""
    return (features(sound) - self.mean) / self.std @ self.weights


def features(sound: np.ndarray) -> np.ndarray:
  """Log-mel energies of every frame and of five on either side.

  Args:
    sound: [S] float32 at 16 kHz.

  Returns:
    [S // 640, 440]; a constant gain of voice or microphone does not matter.
  """
  count = len(sound) // SAMPLES_PER_FRAME
  sound = sound[: count * SAMPLES_PER_FRAME]
  sound = (sound - sound.mean()) / (sound.std() + 1e-5)
  edge = (mel.WINDOW - mel.HOP) // 2
  sound = np.pad(sound, (edge, edge + mel.HOP)).astype(np.float32)
  steps = np.asarray(mel.log_mel(jnp.asarray(sound)[None], _BANDS)[0])
  per_frame = SAMPLES_PER_FRAME // mel.HOP
  frames = steps[: count * per_frame].reshape(count, per_frame, -1).mean(1)
  frames = frames - frames.mean(0)
  padded = np.pad(frames, ((_CONTEXT, _CONTEXT), (0, 0)), mode='edge')
  shifts = range(2 * _CONTEXT + 1)
  return np.concatenate([padded[i : i + count] for i in shifts], 1)


def fit(
  sounds: Sequence[np.ndarray], lips: Sequence[np.ndarray]
) -> SpeechProbe:
  """Fits the probe to clips; each clip's lips count as much as another's.

  Args:
    sounds: [S] of every clip.
    lips: [T] opening of every clip; NaN: no face.

  Raises:
    ValueError: if there is too little to learn from.
  """
  inputs, wanted = [], []
  for sound, curve in zip(sounds, lips, strict=True):
    x = features(sound)[: len(curve)]
    y = curve[: len(x)]
    known = np.isfinite(y)
    if known.sum() > 2 and y[known].std() > 1e-6:
      inputs.append(x[known])
      wanted.append((y[known] - y[known].mean()) / y[known].std())
  if sum(map(len, wanted)) < _MIN_FRAMES:
    raise ValueError(
      f'a speech probe needs at least {_MIN_FRAMES} frames of clips with speech'
    )
  x, y = np.concatenate(inputs).astype(np.float64), np.concatenate(wanted)
  mean, std = x.mean(0), x.std(0) + 1e-6
  x = (x - mean) / std
  gram = x.T @ x + _RIDGE * len(x) * np.eye(x.shape[1])
  return SpeechProbe(mean, std, np.linalg.solve(gram, x.T @ y))
