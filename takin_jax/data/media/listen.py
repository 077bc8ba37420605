"""Sound while it is spoken: raw PCM or WAV from a pipe."""

from collections.abc import Iterator
import io
from typing import BinaryIO

import numpy as np
import soxr

from takin_jax.data.media.errors import MediaError
from takin_jax.data.media.mixing import mix_weights
from takin_jax.data.media.wav_head import WavHead, read_wav_head
from takin_jax.face import SAMPLE_RATE_HZ

BLOCK_S = 0.02
_WEIGH_BLOCKS = 25  # by which the weights of several channels are chosen
_RAW = WavHead(SAMPLE_RATE_HZ, 1, '<i2', None)
_HEAD_BYTES = 1536  # enough for two frames of MP3 at usual rates
# First bytes of files that are no raw sound.
_FILES = {
  b'fLaC': 'FLAC',
  b'OggS': 'Ogg',
  b'ID3': 'MP3',
  b'\x1a\x45\xdf\xa3': 'Matroska',
  b'FORM': 'AIFF',
  b'caff': 'CAF',
  b'#!AMR': 'AMR',
  b'.snd': 'AU',
  b'RIFX': 'RIFX',
  b'0&\xb2u': 'WMA',
}


def listen(pipe: BinaryIO) -> Iterator[np.ndarray]:
  """Reads sound as it comes, in blocks of about 20 ms.

  Args:
    pipe: WAV (any rate, any channels, PCM or float) or, without a WAV header,
      raw s16le mono at 16 kHz.

  Yields:
    [S] float32 mono at 16 kHz in [-1, 1].

  Raises:
    MediaError: nothing comes, or another kind of file.
  """
  start = pipe.read(4)
  if len(start) < 2:
    raise MediaError(
      'There is no sound on the standard input: pipe 16 kHz s16le or WAV in.'
    )
  if start == b'RIFF':
    head, rest = read_wav_head(pipe), pipe
  else:
    start += pipe.read(_HEAD_BYTES - len(start))
    kind = _compressed(start)
    if kind:
      raise MediaError(
        f'The standard input is {kind}, not raw sound: decode it to 16 kHz '
        's16le or WAV, or give it as a file.'
      )
    head, rest = _RAW, _Rest(start, pipe)
  resampler = None
  if head.rate != SAMPLE_RATE_HZ or head is not _RAW:
    resampler = soxr.ResampleStream(head.rate, SAMPLE_RATE_HZ, 1)
  for block in _mono(_samples(rest, head)):
    yield block if resampler is None else resampler.resample_chunk(block)
  if resampler is not None:
    yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)


def _samples(pipe: BinaryIO, head: WavHead) -> Iterator[np.ndarray]:
  """[S, C] float32 in [-1, 1], 20 ms at a time."""
  block = max(int(BLOCK_S * head.rate), 1) * head.frame_bytes
  left = head.size
  while left is None or left > 0:
    data = pipe.read(block if left is None else min(block, left))
    if not data:
      return
    left = None if left is None else left - len(data)
    whole = len(data) // head.frame_bytes * head.frame_bytes
    yield _numbers(data[:whole], head.kind).reshape(-1, head.channels)


def _numbers(data: bytes, kind: str) -> np.ndarray:
  if kind == '<i3':
    parts = np.frombuffer(data, np.uint8).reshape(-1, 3)
    wide = np.zeros((len(parts), 4), np.uint8)
    wide[:, 1:] = parts
    return wide.view('<i4')[:, 0].astype(np.float32) / 2**31
  values = np.frombuffer(data, kind)
  if kind == 'u1':
    return (values.astype(np.float32) - 128) / 128
  if kind[1] == 'i':
    return values.astype(np.float32) / 2 ** (8 * values.itemsize - 1)
  finite = np.nan_to_num(values, posinf=1, neginf=-1)
  return np.clip(finite, -1, 1).astype(np.float32)


def _mono(blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
  """Mixes the channels, by what was heard in the last half second."""
  heard: list[np.ndarray] = []
  for block in blocks:
    if block.shape[1] == 1:
      yield block[:, 0]
      continue
    heard = [*heard[1 - _WEIGH_BLOCKS :], block]
    yield block @ mix_weights(np.concatenate(heard), [])


def _compressed(head: bytes) -> str:
  """What a pipe carries that is no raw sound; '' if it seems to be that."""
  for first, name in _FILES.items():
    if head.startswith(first):
      return name
  if head[4:8] == b'ftyp':
    return 'MP4'
  if head[:1] == b'\x47' and head[188:189] == b'\x47' and len(head) > 377:
    return 'MPEG-TS' if head[376:377] == b'\x47' else ''
  return _mpeg_audio(head)


def _mpeg_audio(head: bytes) -> str:
  """MP3 or AAC by two frames in a row: noise may look like one."""
  if len(head) < 6 or head[0] != 0xFF:
    return ''
  if head[1] & 0xF6 == 0xF0:  # ADTS
    size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return 'AAC' if size > 6 and _sync(head, size, 0xF6, 0xF0) else ''
  version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
  rate, bits = head[2] >> 2 & 3, head[2] >> 4
  if head[1] & 0xE0 != 0xE0 or version == 1 or layer != 1:
    return ''
  if rate == 3 or bits in (0, 15):
    return ''
  rates = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000)}
  hz = rates.get(version, (11_025, 12_000, 8_000))[rate]
  kbps = (_KBPS_1 if version == 3 else _KBPS_2)[bits]
  size = (144 if version == 3 else 72) * 1000 * kbps // hz + (head[2] >> 1 & 1)
  return 'MP3' if _sync(head, size, 0xFE, head[1] & 0xFE) else ''


_KBPS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBPS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)


def _sync(head: bytes, at: int, mask: int, wanted: int) -> bool:
  """Whether another frame begins there."""
  after = head[at : at + 2]
  return len(after) == 2 and after[0] == 0xFF and after[1] & mask == wanted


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
