"""Speech with teacher features: what the speech encoder is trained on.

In: a folder of records as `takin_jax.data.speech.distill` writes it. Out:
windows of sound with the features that the encoder shall predict, in numpy.
"""

import dataclasses
import os
from pathlib import Path

import numpy as np

from takin_jax.errors import InputError

STATS_FILE = 'stats.npz'

# HuBERT's convolutional front end, which sets the 50 Hz frames.
KERNELS = (10, 3, 3, 3, 3, 2, 2)
STRIDES = (5, 2, 2, 2, 2, 2, 2)
FRAME_SAMPLES = 320
RECEPTIVE_SAMPLES = 400


def frame_count(samples: int) -> int:
  """Frames that HuBERT makes of `samples` samples: 80,080 -> 250."""
  for kernel, stride in zip(KERNELS, STRIDES, strict=True):
    samples = max((samples - kernel) // stride + 1, 0)
  return samples


def sample_count(frames: int) -> int:
  """Fewest samples that make `frames` frames: 250 -> 80,080."""
  return (frames - 1) * FRAME_SAMPLES + RECEPTIVE_SAMPLES


@dataclasses.dataclass(frozen=True)
class Augment:
  """Changes to the student's sound; the teacher's features stay.

  Attributes:
    noise: share of windows with added noise.
    snr_db: lowest and highest signal-to-noise ratio.
    tilt: largest one-pole filter coefficient (low- or high-pass).
    gain_db: largest change of level, up or down.
  """

  noise: float = 0.6
  snr_db: tuple[float, float] = (3.0, 30.0)
  tilt: float = 0.6
  gain_db: float = 12.0


class SpeechRecords:
  """Random access to the records of a folder, features normalised.

  Args:
    folder: of .npz records.
    stats: file with `mean` and `std`; default: the folder's own.

  Raises:
    InputError: if the folder has no records.
  """

  def __init__(
    self,
    folder: str | os.PathLike[str],
    stats: str | os.PathLike[str] | None = None,
  ):
    folder = Path(folder)
    self.files = [
      f for f in sorted(folder.glob('*.npz')) if f.name != STATS_FILE
    ]
    if not self.files:
      raise InputError(
        f'{folder} has no speech records: make them with '
        'python -m takin_jax.data.speech.distill.'
      )
    with np.load(Path(stats) if stats else folder / STATS_FILE) as file:
      self.mean, self.std = file['mean'], file['std']

  def __len__(self) -> int:
    return len(self.files)

  def __getitem__(self, index: int) -> dict[str, np.ndarray]:
    """Record as `audio` int16 [S] and `features` float32 [T, E]."""
    with np.load(self.files[index]) as record:
      features = record['features'].astype(np.float32)
      return {
        'audio': record['audio'],
        'features': (features - self.mean) / np.maximum(self.std, 1e-4),
      }


def window(
  record: dict[str, np.ndarray],
  rng: np.random.Generator,
  frames: int,
  augment: Augment | None = None,
  noise: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
  """A random window of a record.

  Args:
    record: of `SpeechRecords`.
    rng: decides on place and augmentation.
    frames: length in 50 Hz frames; short records are padded.
    augment: how to change the sound; None: not at all.
    noise: int16 sound of another record, to be mixed in now and then.

  Returns:
    `wave` float32 [S], `features` float32 [frames, E], `mask` bool [frames]
    (False where padded), `sample_mask` bool [S].
  """
  audio, features = record['audio'], record['features']
  start = int(rng.integers(max(len(features) - frames, 0) + 1))
  features = features[start : start + frames]
  samples = sample_count(frames)
  audio = audio[start * FRAME_SAMPLES :][:samples]
  wave = audio.astype(np.float32) / 32768
  if augment is not None:
    wave = augmented(wave, rng, augment, noise)
  missing, late = frames - len(features), samples - len(wave)
  return {
    'wave': np.pad(wave, (0, late)).astype(np.float32),
    'features': np.pad(features, ((0, missing), (0, 0))),
    'mask': np.arange(frames) < frames - missing,
    'sample_mask': np.arange(samples) < samples - late,
  }


def augmented(
  wave: np.ndarray,
  rng: np.random.Generator,
  augment: Augment,
  other: np.ndarray | None,
) -> np.ndarray:
  """Tilts the spectrum, adds noise and changes the level."""
  wave = _tilted(wave, rng.uniform(-augment.tilt, augment.tilt))
  if rng.random() < augment.noise:
    noise = _noise(len(wave), rng, other)
    snr = 10 ** (rng.uniform(*augment.snr_db) / 20)
    level = np.sqrt(np.square(wave).mean()) + 1e-5
    wave = wave + noise * (level / snr / (noise.std() + 1e-8))
  gain_db = rng.uniform(-augment.gain_db, augment.gain_db)
  return wave * 10 ** (gain_db / 20)


def _tilted(wave: np.ndarray, coefficient: float) -> np.ndarray:
  """x[n] + c x[n-1]: darker for c > 0, brighter for c < 0."""
  return wave + coefficient * np.concatenate([wave[:1], wave[:-1]])


def _noise(
  samples: int, rng: np.random.Generator, other: np.ndarray | None
) -> np.ndarray:
  """White, pink or brown noise, or other speech (half of the time)."""
  if other is not None and len(other) and rng.random() < 0.5:
    shift = int(rng.integers(len(other)))
    return np.resize(np.roll(other, shift), samples).astype(np.float32)
  spectrum = np.fft.rfft(rng.standard_normal(samples))
  slope = np.arange(1, len(spectrum) + 1) ** -rng.uniform(0, 1)
  return np.fft.irfft(spectrum * slope, samples).astype(np.float32)
