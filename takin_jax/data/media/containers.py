"""The kinds of video files that can be made, by the ending of their names."""

from typing import NamedTuple


class Container(NamedTuple):
  """How a file of one kind is written.

  Attributes:
    format: FFmpeg's name of the container.
    video: and of the encoder of the pictures.
    video_options: of the encoder; `crf` is added where it has one.
    audio: encoder of the sound; None: there can be none.
    options: of the container.
    pixels: format of the pixels.
  """

  format: str
  video: str
  video_options: dict[str, str]
  audio: str | None
  options: dict[str, str]
  pixels: str = 'yuv420p'


_MP4 = Container('mp4', 'libx264', {}, 'aac', {'movflags': '+faststart'})
_VP9 = {'deadline': 'good', 'cpu-used': '4', 'row-mt': '1', 'b': '0'}

OFFLINE = {
  '.mp4': _MP4,
  '.mov': _MP4._replace(format='mov'),
  '.mkv': _MP4._replace(format='matroska', options={}),
  '.webm': Container('webm', 'libvpx-vp9', _VP9, 'libopus', {}),
  '.gif': Container('gif', 'gif', {}, None, {'loop': '0'}, 'pal8'),
}

_X264 = {'preset': 'veryfast', 'tune': 'zerolatency', 'g': '50', 'bf': '0'}

LIVE = {
  '.ts': Container('mpegts', 'libx264', _X264, 'aac', {}),
  # Fragments of one frame: cut by their length, for FFmpeg's `frag_every_frame`
  # gives several the same time where sound and pictures alternate, and readers
  # then drop frames. The head comes with the first one and can say how much of
  # the sound is the encoder's run-in.
  '.mp4': Container(
    'mp4',
    'libx264',
    _X264,
    'aac',
    {'movflags': 'delay_moov+default_base_moof', 'frag_duration': '1000'},
  ),
}
