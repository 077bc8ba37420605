"""Sound of any kind -> float32 mono at one rate."""

from collections.abc import Iterator

import av
import numpy as np
import soxr

from takin_jax.data.media.decode import StrPath, decode, open_container
from takin_jax.data.media.errors import MediaError
from takin_jax.face import SAMPLE_RATE_HZ


def read_audio(path: StrPath, rate: int = SAMPLE_RATE_HZ) -> np.ndarray:
  """Reads the sound of an audio or video file.

  Args:
    path: any format, sample rate and channel layout that PyAV opens.
    rate: output sample rate in Hz.

  Returns:
    [S] float32 mono in [-1, 1]; of a damaged file what precedes the damage.

  Raises:
    MediaError: no such file, no audio stream, or no sample could be decoded.
  """
  return np.concatenate(list(iter_audio(path, rate)))


def iter_audio(
  path: StrPath, rate: int = SAMPLE_RATE_HZ, block: int = 10 * SAMPLE_RATE_HZ
) -> Iterator[np.ndarray]:
  """Like `read_audio`, in blocks at constant memory.

  Args:
    path: an audio or video file.
    rate: output sample rate in Hz.
    block: samples per block.

  Yields:
    [block] float32 mono; the last one may be shorter.

  Raises:
    MediaError: as `read_audio`.
  """
  rest, empty = np.zeros(0, np.float32), True
  for piece in _resampled(path, rate):
    rest = np.concatenate([rest, piece])
    while len(rest) >= block:
      yield rest[:block]
      rest, empty = rest[block:], False
  if len(rest):
    yield rest
  elif empty:
    raise MediaError(
      f'{path} has no audio samples: record or convert it again.'
    )


def _resampled(path: StrPath, rate: int) -> Iterator[np.ndarray]:
  """Yields pieces of about a second of mono sound at the wanted rate."""
  with open_container(path) as container:
    if not container.streams.audio:
      raise MediaError(f'{path} has no audio stream: give a file with sound.')
    downmix, resampler, pieces, count = None, None, [], 0
    for frame in decode(container, container.streams.audio[0]):
      if downmix is None:
        # FFmpeg mixes the channels (to integers: then the weights sum to 1),
        # soxr changes the rate.
        downmix = av.AudioResampler('s32', 'mono', frame.sample_rate)
        resampler = soxr.ResampleStream(frame.sample_rate, rate, 1)
      for mono in downmix.resample(frame):
        pieces.append(mono.to_ndarray()[0].astype(np.float32) / 2**31)
      count += frame.samples
      if count >= frame.sample_rate:
        yield resampler.resample_chunk(np.concatenate(pieces))
        pieces, count = [], 0
    if resampler is not None:
      last = np.concatenate([*pieces, np.zeros(0, np.float32)])
      yield resampler.resample_chunk(last, last=True)
