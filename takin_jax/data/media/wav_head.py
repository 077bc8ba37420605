"""The head of a WAV that comes through a pipe.

Written by hand: Python's `wave` reads neither EXTENSIBLE nor float samples, and
what streams has sizes of 0 or -1 in its head.
"""

import struct
from typing import BinaryIO, NamedTuple

from takin_jax.data.media.audio import MAX_RATE_HZ, MIN_RATE_HZ
from takin_jax.data.media.errors import MediaError

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_MAX_CHANNELS = 64
_TYPES = {
  (_PCM, 8): 'u1',
  (_PCM, 16): '<i2',
  (_PCM, 24): '<i3',
  (_PCM, 32): '<i4',
  (_FLOAT, 32): '<f4',
  (_FLOAT, 64): '<f8',
}


class WavHead(NamedTuple):
  """What the samples are.

  Attributes:
    rate: in Hz.
    channels: their number.
    kind: of the numbers, as NumPy names it; '<i3' is 24 bit.
    size: of the data in bytes; None: until the pipe ends.
  """

  rate: int
  channels: int
  kind: str
  size: int | None

  @property
  def frame_bytes(self) -> int:
    """Of one sample of all channels."""
    return self.channels * int(self.kind[-1])


def read_wav_head(pipe: BinaryIO) -> WavHead:
  """Reads up to the first sample; 'RIFF' was read before.

  Raises:
    MediaError: it is no WAV, or of a kind that nobody sends.
  """
  if len(pipe.read(4)) < 4 or pipe.read(4) != b'WAVE':
    raise _unreadable('it is cut off or no WAV')
  form = None
  while True:
    chunk = pipe.read(8)
    if len(chunk) < 8:
      raise _unreadable('there is no sound in it')
    name, size = struct.unpack('<4sI', chunk)
    if name == b'data':
      if form is None:
        raise _unreadable('it does not say how its sound is coded')
      return WavHead(*form, None if size in (0, 0xFFFFFFFF) else size)
    if name == b'fmt ':
      form = _form(pipe.read(min(size, 64)))
      _skip(pipe, size - min(size, 64))
    else:
      _skip(pipe, size)
    _skip(pipe, size % 2)


def _form(data: bytes) -> tuple[int, int, str]:
  """Rate, channels and kind of numbers from a `fmt ` chunk."""
  if len(data) < 16:
    raise _unreadable('it is cut off')
  code, channels, rate, _, _, bits = struct.unpack('<HHIIHH', data[:16])
  if code == _EXTENSIBLE and len(data) >= 26:
    (code,) = struct.unpack('<H', data[24:26])
  kind = _TYPES.get((code, bits))
  if kind is None:
    raise _unreadable(f'coding {code} with {bits} bit is unknown')
  if not MIN_RATE_HZ <= rate <= MAX_RATE_HZ:
    raise _unreadable(f'it claims {rate} samples a second')
  if not 1 <= channels <= _MAX_CHANNELS:
    raise _unreadable(f'it claims {channels} channels')
  return rate, channels, kind


def _skip(pipe: BinaryIO, size: int) -> None:
  while size > 0:
    data = pipe.read(min(size, 65536))
    if not data:
      return
    size -= len(data)


def _unreadable(why: str) -> MediaError:
  return MediaError(
    f'The WAV on the standard input cannot be read ({why}): send PCM of 8 to '
    '32 bit or float samples.'
  )
