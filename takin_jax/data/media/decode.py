"""Opening a container and decoding one of its streams, damage tolerated."""

from collections.abc import Iterator
import os
from pathlib import Path

import av

from takin_jax.data.media.errors import MediaError

StrPath = str | os.PathLike

# FFmpeg's names of containers that hold their own content. What only points
# at other files or addresses (playlists, ffconcat, SDP) is not among them.
_FORMATS = (
  'mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,asf,mpegts,mpeg,mpegvideo,'
  'h264,hevc,m4v,ivf,obu,mjpeg,nut,mxf,dv,rm,yuv4mpegpipe,gif,apng,ogg,wav,'
  'w64,aiff,au,caf,flac,mp3,aac,ac3,eac3,dts,truehd,amr,amrnb,amrwb,wv,ape,'
  'tta,voc,jpeg_pipe,png_pipe,webp_pipe'
)
_OPTIONS = {'format_whitelist': _FORMATS, 'protocol_whitelist': 'file'}


def require_file(path: StrPath) -> None:
  """Raises MediaError where there is no such file."""
  if not os.path.isfile(path):
    name = str(path)
    shown = name if name and name.isprintable() else repr(name)
    raise MediaError(f'{shown} is not a file: check the path.')


def file_url(path: StrPath) -> str:
  """A path as FFmpeg takes it, whose colons name no protocol."""
  return f'file:{Path(path).absolute()}'


def open_container(path: StrPath) -> av.container.InputContainer:
  """Opens a media file for reading; MediaError if FFmpeg cannot."""
  require_file(path)
  try:
    return av.open(file_url(path), metadata_errors='ignore', options=_OPTIONS)
  except (av.error.FFmpegError, OSError, ValueError) as e:
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


def picture_stream(
  container: av.container.InputContainer,
) -> av.video.stream.VideoStream | None:
  """The first stream of moving pictures; the cover of a song is none."""
  for stream in container.streams.video:
    if not stream.disposition & av.stream.Disposition.attached_pic:
      return stream
  return None
