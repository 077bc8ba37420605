"""Sound of any kind -> float32 at one rate: mono, or the channels as they are.

Sample 0 is the zero of `media.clock`. Sounds whose rate or channels change
midway go on at the wanted ones.
"""

from collections.abc import Generator, Iterator
from typing import NamedTuple

import av
import numpy as np
import soxr

from takin_jax.data.media.clock import Clock, zero_s
from takin_jax.data.media.decode import StrPath, decode, open_container
from takin_jax.data.media.errors import MediaError
from takin_jax.data.media.mixing import mix_weights
from takin_jax.face import SAMPLE_RATE_HZ

# Rates that sound is recorded at; a header that says 1 Hz is damaged, and
# would make hours of it.
MIN_RATE_HZ, MAX_RATE_HZ = 1_000, 1_000_000
_CHANNELS = (1, 2, 3, 6, 8)  # that an output can have; others are mixed
_LATE_S = 0.04  # time stamps jitter: only later ones are a hole
_WEIGH_S = 10  # of several channels, by which their weights are chosen


class Piece(NamedTuple):
  """Sound as it lies in a file.

  Attributes:
    samples: [S, C] float32 in [-1, 1].
    rate: in Hz.
    names: of the channels.
  """

  samples: np.ndarray
  rate: int
  names: list[str]


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
  pieces = _resampled(_mono(_pieces(path)), rate)
  for samples in _blocks(pieces, block, path):
    yield samples[:, 0]


def channel_count(path: StrPath) -> int:
  """How many channels `iter_channels` gives of a file.

  Those of its first second, or one where an output cannot have so many.

  Raises:
    MediaError: as `read_audio`.
  """
  piece = next(_pieces(path), None)
  count = 1 if piece is None else piece.samples.shape[1]
  return count if count in _CHANNELS else 1


def iter_channels(path: StrPath, rate: int, block: int) -> Iterator[np.ndarray]:
  """The sound as it is: all channels, at their level.

  Args:
    path: an audio or video file.
    rate: output sample rate in Hz.
    block: samples per block.

  Yields:
    [block, C] float32 with `channel_count` channels.

  Raises:
    MediaError: as `read_audio`.
  """
  count = channel_count(path)
  pieces = _pieces(path)
  if count == 1:
    pieces = _mono(pieces)
  else:
    pieces = (_with_channels(piece, count) for piece in pieces)
  yield from _blocks(_resampled(pieces, rate), block, path)


def _blocks(
  pieces: Iterator[np.ndarray], block: int, path: StrPath
) -> Iterator[np.ndarray]:
  """[S, C] pieces -> [block, C]; MediaError if there is no sample."""
  rest, empty = None, True
  for piece in pieces:
    rest = piece if rest is None else np.concatenate([rest, piece])
    while len(rest) >= block:
      yield rest[:block]
      rest, empty = rest[block:], False
  if rest is not None and len(rest):
    yield rest
  elif empty:
    raise MediaError(
      f'{path} has no audio samples: record or convert it again.'
    )


def _pieces(path: StrPath) -> Iterator[Piece]:
  """The sound of a file without holes, about a second at a time."""
  waiting, seconds = [], 0.0
  for piece in _placed(path):
    if waiting and not _alike(waiting[0], piece):
      yield _joined(waiting)
      waiting, seconds = [], 0.0
    waiting.append(piece)
    seconds += len(piece.samples) / piece.rate
    if seconds >= 1:
      yield _joined(waiting)
      waiting, seconds = [], 0.0
  if waiting:
    yield _joined(waiting)


def _placed(path: StrPath) -> Iterator[Piece]:
  """Decoded sound in its place: cut before zero, silence in the holes."""
  zero = zero_s(path)
  with open_container(path) as container:
    if not container.streams.audio:
      raise MediaError(f'{path} has no audio stream: give a file with sound.')
    clock, now_s = Clock(path, zero), 0.0
    for frame in decode(container, container.streams.audio[0]):
      piece = _piece(frame, path)
      late_s = clock(frame.time, now_s) - now_s
      start = now_s == 0
      if late_s > (0 if start else _LATE_S):
        yield from _silence(piece, late_s)
        now_s += late_s
      elif late_s < 0 and start:
        early = round(-late_s * piece.rate)
        piece = piece._replace(samples=piece.samples[early:])
      if len(piece.samples):
        yield piece
        now_s += len(piece.samples) / piece.rate


def _piece(frame: av.AudioFrame, path: StrPath) -> Piece:
  """A decoded frame as numbers.

  Raises:
    MediaError: its rate is none that sound has.
  """
  rate = frame.sample_rate
  if not MIN_RATE_HZ <= rate <= MAX_RATE_HZ:
    raise MediaError(
      f'{path} claims {rate} samples a second, which no recording has: convert '
      'it again.'
    )
  names = [channel.name for channel in frame.layout.channels]
  if frame.format.is_planar and len(names) >= 8:  # PyAV 18 crashes on those
    packed = av.AudioResampler(frame.format.packed, frame.layout, rate)
    (frame,) = packed.resample(frame)
  data = frame.to_ndarray()
  data = data.T if frame.format.is_planar else data.reshape(-1, len(names))
  if data.dtype == np.uint8:
    samples = (data.astype(np.float32) - 128) / 128
  elif data.dtype.kind == 'i':
    samples = data.astype(np.float32) / -float(np.iinfo(data.dtype).min)
  else:  # in steps of 32 bits, so that every format reads alike
    finite = np.nan_to_num(data.astype(np.float32), posinf=1, neginf=-1)
    samples = np.rint(np.clip(finite, -1, 1) * 2**31) / 2**31
  return Piece(samples, rate, names)


def _silence(like: Piece, length_s: float) -> Iterator[Piece]:
  """Seconds of silence in the form of a piece."""
  left = round(length_s * like.rate)
  while left:
    count = min(left, like.rate)
    silent = np.zeros((count, like.samples.shape[1]), np.float32)
    yield like._replace(samples=silent)
    left -= count


def _alike(one: Piece, other: Piece) -> bool:
  return one.rate == other.rate and one.names == other.names


def _joined(pieces: list[Piece]) -> Piece:
  samples = np.concatenate([piece.samples for piece in pieces])
  return pieces[0]._replace(samples=samples)


def _mono(pieces: Iterator[Piece]) -> Iterator[Piece]:
  """Mixes the channels, with weights chosen by the first seconds of a kind."""
  first: Piece | None = None
  waiting: list[Piece] = []
  weights = None
  for piece in pieces:
    if first is None or not _alike(first, piece):
      yield from _mixed(waiting, weights)
      first, waiting, weights = piece, [], None
    waiting.append(piece)
    enough = sum(len(p.samples) for p in waiting) >= _WEIGH_S * piece.rate
    if weights is not None or enough or len(piece.names) == 1:
      weights = yield from _mixed(waiting, weights)
      waiting = []
  yield from _mixed(waiting, weights)


def _mixed(
  pieces: list[Piece], weights: np.ndarray | None
) -> Generator[Piece, None, np.ndarray | None]:
  """Yields the pieces as mono; returns the weights, chosen if need be."""
  if not pieces:
    return weights
  if pieces[0].samples.shape[1] == 1:
    yield from pieces
    return None
  if weights is None:
    weights = mix_weights(_joined(pieces).samples, pieces[0].names)
  for piece in pieces:
    yield piece._replace(samples=piece.samples @ weights[:, None])
  return weights


def _with_channels(piece: Piece, count: int) -> Piece:
  """With so many channels: as they are, else the mean in each."""
  if piece.samples.shape[1] == count:
    return piece
  mean = piece.samples.mean(1, keepdims=True)
  return piece._replace(samples=np.repeat(mean, count, 1))


def _resampled(pieces: Iterator[Piece], rate: int) -> Iterator[np.ndarray]:
  """[S, C] at the wanted rate; a new rate of the pieces begins anew."""
  resampler, now = None, None
  for samples, source_rate, _ in pieces:
    kind = source_rate, samples.shape[1]
    if kind != now:
      if resampler is not None:
        yield resampler.resample_chunk(_nothing(now[1]), last=True)
      resampler = soxr.ResampleStream(source_rate, rate, samples.shape[1])
      now = kind
    yield resampler.resample_chunk(np.ascontiguousarray(samples))
  if resampler is not None:
    yield resampler.resample_chunk(_nothing(now[1]), last=True)


def _nothing(channels: int) -> np.ndarray:
  return np.zeros((0, channels), np.float32)
