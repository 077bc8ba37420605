"""Video, audio and images; the only place that opens media files.

In: anything that PyAV or OpenCV decodes. Out: RGB uint8 pictures and float32
mono sound; MP4 files. A failure that a user can cause is a MediaError.
"""

from takin_jax.data.media.audio import iter_audio, read_audio
from takin_jax.data.media.errors import MediaError
from takin_jax.data.media.image import read_image
from takin_jax.data.media.listen import listen
from takin_jax.data.media.live import live_format, open_live
from takin_jax.data.media.video import frame_rate, read_frames
from takin_jax.data.media.writer import VideoWriter

__all__ = [
  'MediaError',
  'VideoWriter',
  'frame_rate',
  'iter_audio',
  'listen',
  'live_format',
  'open_live',
  'read_audio',
  'read_frames',
  'read_image',
]
