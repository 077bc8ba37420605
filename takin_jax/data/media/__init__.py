"""Video, audio and images; the only place that opens media files.

In: anything that PyAV or OpenCV decodes. Out: RGB uint8 pictures and float32
sound on one clock; video files. A failure that a user can cause is a
MediaError.
"""

from takin_jax.data.media.audio import (
  channel_count,
  iter_audio,
  iter_channels,
  read_audio,
)
from takin_jax.data.media.decode import require_file
from takin_jax.data.media.errors import MediaError
from takin_jax.data.media.image import read_image
from takin_jax.data.media.listen import listen
from takin_jax.data.media.live import live_format, open_live
from takin_jax.data.media.target import check_no_input
from takin_jax.data.media.video import frame_rate, read_frames
from takin_jax.data.media.writer import VideoWriter, check_output

__all__ = [
  'MediaError',
  'VideoWriter',
  'channel_count',
  'check_no_input',
  'check_output',
  'frame_rate',
  'iter_audio',
  'iter_channels',
  'listen',
  'live_format',
  'open_live',
  'read_audio',
  'read_frames',
  'read_image',
  'require_file',
]
