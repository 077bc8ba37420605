"""Sound while it is spoken: raw PCM or WAV from a pipe."""

from collections.abc import Iterator
import io
from typing import BinaryIO
import wave

import numpy as np
import soxr

from takin_jax.data.media.errors import MediaError
from takin_jax.face import SAMPLE_RATE_HZ

BLOCK_S = 0.02


def listen(pipe: BinaryIO) -> Iterator[np.ndarray]:
  """Reads sound as it comes, in blocks of about 20 ms.

  Args:
    pipe: WAV (16 bit, any rate, any channels) or, without a WAV header, raw
      s16le mono at 16 kHz.

  Yields:
    [S] float32 mono at 16 kHz in [-1, 1].

  Raises:
    MediaError: nothing comes, or WAV of another kind.
  """
  head = pipe.read(4)
  if len(head) < 2:
    raise MediaError(
      'There is no sound on the standard input: pipe 16 kHz s16le or WAV in.'
    )
  pipe = _Rest(head, pipe)
  if head != b'RIFF':
    yield from _samples(pipe.read, 2 * SAMPLE_RATE_HZ, 1)
    return
  try:
    with wave.open(pipe) as sound:
      rate, channels = sound.getframerate(), sound.getnchannels()
      if sound.getsampwidth() != 2:
        raise wave.Error(f'{8 * sound.getsampwidth()} bit')
      resampler = soxr.ResampleStream(rate, SAMPLE_RATE_HZ, 1)

      def read(size: int) -> bytes:
        return sound.readframes(size // (2 * channels))

      for block in _samples(read, 2 * channels * rate, channels):
        yield resampler.resample_chunk(block)
      yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)
  except (wave.Error, EOFError) as e:
    raise MediaError(
      f'The WAV on the standard input cannot be read ({e}): send 16 bit PCM.'
    ) from e


def _samples(read, bytes_per_s: int, channels: int) -> Iterator[np.ndarray]:
  """[S] mono float32 of s16le bytes."""
  size = int(BLOCK_S * bytes_per_s) // (2 * channels) * 2 * channels
  while data := read(size):
    pcm = np.frombuffer(
      data[: len(data) // (2 * channels) * 2 * channels], '<i2'
    )
    yield pcm.reshape(-1, channels).mean(-1, dtype=np.float32) / 32768


class _Rest(io.RawIOBase):
  """A pipe whose first bytes were read already."""

  def __init__(self, head: bytes, pipe: BinaryIO):
    self._head, self._pipe = head, pipe

  def readable(self) -> bool:
    return True

  def read(self, size: int = -1) -> bytes:
    """Up to `size` bytes, fewer only at the end."""
    first, self._head = self._head[:size], self._head[size:]
    return first + self._pipe.read(size - len(first))
