"""Frames and sound that somebody watches while they are made.

In: RGB pictures and mono sound, as for `VideoWriter`. Out: MPEG-TS, fragmented
MP4 or raw RGB, in a file or on the standard output. What was written so far can
always be played, so there is no temporary name.
"""

import contextlib
import os
from pathlib import Path
import sys
from typing import BinaryIO

import av
import numpy as np

from takin_jax.data.media.decode import StrPath
from takin_jax.data.media.errors import MediaError
from takin_jax.data.media.writer import VideoWriter

FORMATS = {'.ts': 'mpegts', '.mp4': 'mp4', '.rgb': 'rgb24'}
STDOUT = '-'
_MP4 = {
  'movflags': 'delay_moov+default_base_moof',
  'frag_duration': '1000',
}
_X264 = {'preset': 'veryfast', 'tune': 'zerolatency', 'g': '50', 'bf': '0'}


def open_live(target: StrPath, rate: int) -> 'LiveWriter | RawWriter':
  """A writer for a file name, or '-': MPEG-TS on the standard output.

  Args:
    target: ends in .ts, .mp4 or .rgb (raw [H, W, 3] bytes without sound), or
      is '-' or '-.rgb'.
    rate: sample rate of the sound in Hz.

  Raises:
    MediaError: another ending, or the file cannot be written.
  """
  kind = live_format(target)
  if kind == 'rgb24':
    return RawWriter(target)
  return LiveWriter(target, kind, rate)


def live_format(target: StrPath) -> str:
  """FFmpeg's name of the format for a target of `open_live`."""
  name = '.ts' if str(target) == STDOUT else str(target)
  kind = FORMATS.get(os.path.splitext('x' + name)[1].lower())
  if kind is None:
    raise MediaError(
      f'{target} does not end in {", ".join(FORMATS)}: choose one of these '
      'for a live video.'
    )
  return kind


class LiveWriter(VideoWriter):
  """Encodes for immediate viewing; use it as a context manager.

  Args:
    target: file or '-'.
    kind: FFmpeg's name of the format.
    rate: sample rate of the sound in Hz.
  """

  def __init__(self, target: StrPath, kind: str, rate: int):
    self._kind = kind
    super().__init__(target, rate=rate, crf=20)

  def close(self) -> None:
    """Ends the streams."""
    try:
      for stream in filter(None, (self._video, self._audio)):
        self._encode(stream, None)
      self._container.close()
      self._file.flush()
    except (MediaError, av.error.FFmpegError, OSError) as e:
      raise self._failure(e) from e

  def discard(self) -> None:
    """Closes; what was written stays."""
    with contextlib.suppress(av.error.FFmpegError, OSError):
      self._container.close()

  def _open(self) -> av.container.OutputContainer:
    self._file = _target(self._path)
    options = {'flush_packets': '1', **(_MP4 if self._kind == 'mp4' else {})}
    return av.open(self._file, 'w', format=self._kind, options=options)

  def _encoder_options(self) -> dict[str, str]:
    return {**super()._encoder_options(), **_X264}


class RawWriter:
  """Writes the bytes of the pictures and no sound.

  Args:
    target: file, or a name that begins with '-'.
  """

  def __init__(self, target: StrPath):
    self._file = _target(Path(target))
    self.frames = 0

  def __enter__(self) -> 'RawWriter':
    return self

  def __exit__(self, *_: object) -> None:
    with contextlib.suppress(OSError):
      self._file.flush()

  def write(self, image: np.ndarray) -> None:
    """Adds one picture: [H, W, 3] uint8 RGB."""
    try:
      self._file.write(np.ascontiguousarray(image).data)
      self._file.flush()
    except OSError as e:
      raise MediaError(f'Nobody reads the video any more ({e}).') from e
    self.frames += 1

  def write_audio(self, samples: np.ndarray) -> None:
    """Raw video has no sound."""


def _target(path: Path) -> BinaryIO:
  if str(path).startswith(STDOUT):
    return sys.stdout.buffer
  try:
    return open(path, 'wb')
  except OSError as e:
    raise MediaError(
      f'{path} cannot be written ({e.strerror}): choose another place.'
    ) from e
