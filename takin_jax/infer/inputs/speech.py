"""The speech: sound of any kind -> what the model hears, and the output's."""

from collections.abc import Callable, Iterator
import dataclasses

import numpy as np
import soxr

from takin_jax.animation import idle
from takin_jax.data import media
from takin_jax.errors import InputError, naming
from takin_jax.face import FRAME_RATE_HZ, SAMPLE_RATE_HZ
from takin_jax.infer.inputs.files import File, as_path

OUTPUT_RATE_HZ = 48_000
_FRAME = OUTPUT_RATE_HZ // FRAME_RATE_HZ

Given = File | np.ndarray | tuple[np.ndarray, int]


@dataclasses.dataclass(frozen=True)
class Speech:
  """Sound that can be read again and again, in blocks.

  Attributes:
    levels_db: [T] `idle.levels`, one for every frame of video that it makes.
    heard: gives [S] float32 at 16 kHz at a time.
    sound: gives the output's sound at `OUTPUT_RATE_HZ`, a frame at a time:
      [S], or [S, C] where there are several channels.
    channels: of the output's sound.
  """

  levels_db: np.ndarray
  heard: Callable[[], Iterator[np.ndarray]]
  sound: Callable[[], Iterator[np.ndarray]]
  channels: int = 1

  @property
  def frame_count(self) -> int:
    """Frames of video that it makes."""
    return len(self.levels_db)


def read_speech(speech: Given) -> Speech:
  """Reads sound, at constant memory where it is a file.

  Args:
    speech: path, file object, [S] at 16 kHz, or ([S], rate in Hz); floats in
      [-1, 1] or 16 bit integers.

  Raises:
    InputError: there is no sound.
  """
  if isinstance(speech, np.ndarray | tuple):
    return _from_array(*_checked(speech))
  path = as_path(speech)
  with naming('speech'):
    levels = [idle.levels(block) for block in media.iter_audio(path)]
    channels = media.channel_count(path)
  return Speech(
    np.concatenate(levels),
    lambda: media.iter_audio(path),
    lambda: sound_by_frame(path),
    channels,
  )


def sound_by_frame(path: File) -> Iterator[np.ndarray]:
  """A file's sound for the output, in pieces as long as a frame.

  Yields:
    [S] float32, or [S, C] where the file has several channels.
  """
  for piece in media.iter_channels(path, OUTPUT_RATE_HZ, _FRAME):
    yield piece[:, 0] if piece.shape[1] == 1 else piece


def _from_array(samples: np.ndarray, rate: int) -> Speech:
  heard = soxr.resample(samples, rate, SAMPLE_RATE_HZ)

  def sound() -> Iterator[np.ndarray]:
    output = soxr.resample(samples, rate, OUTPUT_RATE_HZ)
    for i in range(0, len(output), _FRAME):
      yield output[i : i + _FRAME]

  return Speech(idle.levels(heard), lambda: iter([heard]), sound)


def _checked(
  speech: np.ndarray | tuple[np.ndarray, int],
) -> tuple[np.ndarray, int]:
  """[S] float32 and its rate."""
  samples, rate = speech if isinstance(speech, tuple) else (speech, None)
  samples, rate = np.asarray(samples), rate or SAMPLE_RATE_HZ
  if samples.dtype == np.int16:
    samples = samples.astype(np.float32) / 2**15
  if samples.dtype.kind != 'f' or samples.ndim != 1 or not len(samples):
    raise InputError(
      f'An array {list(samples.shape)} of {samples.dtype} is not [S] of floats '
      'or 16 bit integers: give mono sound in that form, or a file.',
      'speech',
    )
  if not np.isfinite(samples).all() or not 1_000 <= rate <= 1_000_000:
    raise InputError(
      'The samples must be finite, at a rate of 1000 to 1000000 Hz.', 'speech'
    )
  return samples.astype(np.float32), rate
