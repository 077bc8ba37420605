"""Opening a container and decoding one of its streams, damage tolerated."""

from collections.abc import Iterator
import os
from pathlib import Path

import av

from takin_jax.data.media.errors import MediaError

StrPath = str | os.PathLike


def require_file(path: StrPath) -> None:
  """Raises MediaError where there is no such file."""
  if not Path(path).is_file():
    raise MediaError(f'{path} is not a file: check the path.')


def open_container(path: StrPath) -> av.container.InputContainer:
  """Opens a media file for reading; MediaError if FFmpeg cannot."""
  require_file(path)
  try:
    return av.open(str(path), metadata_errors='ignore')
  except (av.error.FFmpegError, OSError) as e:
    raise MediaError(
      f'{path} cannot be read as video or audio: convert it, to MP4 or WAV '
      'for example.'
    ) from e


def decode(
  container: av.container.InputContainer, stream: av.stream.Stream
) -> Iterator[av.frame.Frame]:
  """Yields the good frames of a stream, up to where the file breaks off."""
  packets = container.demux(stream)
  while True:
    try:
      packet = next(packets)
    except (StopIteration, av.error.FFmpegError):
      return
    try:
      frames = packet.decode()
    except av.error.FFmpegError:
      continue
    yield from (f for f in frames if not f.is_corrupt)
