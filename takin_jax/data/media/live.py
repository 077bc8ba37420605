"""Frames and sound that somebody watches while they are made.

In: RGB pictures and mono sound, as for `VideoWriter`. Out: MPEG-TS, fragmented
MP4 or raw RGB, in a file or on the standard output. What was written so far can
always be played, so there is no temporary name.
"""

import contextlib
import os
import sys

import av
import numpy as np

from takin_jax.data.media.containers import LIVE, Container
from takin_jax.data.media.decode import StrPath
from takin_jax.data.media.errors import MediaError
from takin_jax.data.media.target import check_target
from takin_jax.data.media.writer import VideoWriter
from takin_jax.face import FRAME_RATE_HZ

STDOUT = '-'
_RAW = '.rgb'
_ENDINGS = (*LIVE, _RAW)
_PIPES = {STDOUT: '.ts', STDOUT + _RAW: _RAW}  # to the standard output


def open_live(
  target: StrPath, rate: int, channels: int = 1
) -> 'LiveWriter | RawWriter':
  """A writer for a file name, or '-': MPEG-TS on the standard output.

  Args:
    target: ends in .ts, .mp4 or .rgb (raw [H, W, 3] bytes without sound), or
      is '-' or '-.rgb'.
    rate: sample rate of the sound in Hz.
    channels: of the sound.

  Raises:
    MediaError: another ending, or the file cannot be written.
  """
  ending = live_format(target)
  if ending == _RAW:
    return RawWriter(target)
  return LiveWriter(target, LIVE[ending], rate, channels)


def live_format(target: StrPath) -> str:
  """The ending that tells the format for a target of `open_live`.

  Raises:
    MediaError: as `open_live`, before there is anything to write.
  """
  name = os.fspath(target)
  if name in _PIPES:
    if sys.stdout is None:
      raise MediaError('The standard output is closed: write to a file.')
    return _PIPES[name]
  check_target(name, _ENDINGS, special=True)
  return os.path.splitext(name)[1].lower()


class LiveWriter(VideoWriter):
  """Encodes for immediate viewing; use it as a context manager.

  Args:
    target: file or '-'.
    kind: container and codecs.
    rate: sample rate of the sound in Hz.
    channels: of the sound.
  """

  def __init__(
    self, target: StrPath, kind: Container, rate: int, channels: int = 1
  ):
    self._start(target, kind, FRAME_RATE_HZ, rate, channels)
    self._crf = 20
    self._file = _Target(target)
    self._container = None  # opened by the first picture

  def close(self) -> None:
    """Ends the streams; what exists stays as it is if there was no picture."""
    if self._container is None:
      return
    try:
      self._finish()
    except (MediaError, av.error.FFmpegError, OSError) as e:
      raise self._failure(e) from e
    finally:
      self._file.close()

  def discard(self) -> None:
    """Closes; what was written stays."""
    if self._container is not None:
      with contextlib.suppress(av.error.FFmpegError, OSError):
        self._container.close()
    self._file.close()

  def _add_streams(self, height: int, width: int) -> None:
    self._container = av.open(
      self._file,
      'w',
      format=self._kind.format,
      options={'flush_packets': '1', **self._kind.options},
    )
    super()._add_streams(height, width)


class RawWriter:
  """Writes the bytes of the pictures and no sound.

  Args:
    target: file, or '-.rgb'.
  """

  def __init__(self, target: StrPath):
    self._file = _Target(target)
    self.frames = 0

  def __enter__(self) -> 'RawWriter':
    return self

  def __exit__(self, *_: object) -> None:
    self._file.close()

  def write(self, image: np.ndarray) -> None:
    """Adds one picture: [H, W, 3] uint8 RGB."""
    self._file.write(np.ascontiguousarray(image).data.cast('B'))
    self.frames += 1

  def write_audio(self, samples: np.ndarray) -> None:
    """Raw video has no sound."""


class _Target:
  """A file or the standard output, unbuffered: viewers wait for every byte.

  It is opened, and so emptied, with the first byte.
  """

  def __init__(self, target: StrPath):
    self._name = os.fspath(target)
    self._descriptor: int | None = None
    self.name = ''  # FFmpeg must not take it for an address

  def write(self, data: bytes | memoryview) -> int:
    """Writes all of it.

    Raises:
      MediaError: the place takes none, or nobody reads any more.
    """
    left = memoryview(data)
    try:
      if self._descriptor is None:
        self._descriptor = self._open()
      while left:
        left = left[os.write(self._descriptor, left) :]
    except BrokenPipeError as e:
      raise MediaError(f'Nobody reads the video any more ({e}).') from e
    except OSError as e:
      raise MediaError(
        f'{self._name} cannot be written ({e.strerror}): choose another place.'
      ) from e
    return len(data)

  def close(self) -> None:
    """Lets go of a file; the standard output stays open."""
    descriptor, self._descriptor = self._descriptor, None
    if descriptor is not None and self._name not in _PIPES:
      with contextlib.suppress(OSError):
        os.close(descriptor)

  def _open(self) -> int:
    if self._name in _PIPES:
      return sys.stdout.fileno()
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    return os.open(os.path.realpath(self._name), flags, 0o666)
