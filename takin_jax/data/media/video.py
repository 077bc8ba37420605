"""Video -> RGB pictures at a constant rate."""

from collections.abc import Iterator
from fractions import Fraction

import av
import cv2
import numpy as np

from takin_jax.data.media.clock import timed_frames
from takin_jax.data.media.decode import (
  StrPath,
  open_container,
  picture_stream,
)
from takin_jax.data.media.errors import MediaError
from takin_jax.face import FRAME_RATE_HZ

_MAX_ASPECT = 4  # more is damage


def read_frames(
  path: StrPath, fps: float = FRAME_RATE_HZ
) -> Iterator[np.ndarray]:
  """Yields the pictures of a video at a constant rate.

  Each output frame is the decoded frame nearest in time, the first one being
  at 0 (see `media.clock`). Rotation metadata and the pixels' aspect ratio are
  applied, damaged frames are skipped.

  Args:
    path: a video file.
    fps: output rate in Hz.

  Yields:
    [H, W, 3] uint8 RGB.

  Raises:
    MediaError: no such file, no video stream, or no frame could be decoded.
  """
  with open_container(path) as container:
    stream = picture_stream(container)
    if stream is None:
      raise MediaError(f'{path} has no video stream: give a video file.')
    stream.thread_type = 'AUTO'
    aspect = stream.sample_aspect_ratio or Fraction(1)
    k, previous, previous_s, image = 0, None, 0.0, None
    for frame, time_s in timed_frames(container, stream, path):
      # Output frame k is due while it is nearer to the previous frame.
      while previous is not None and k / fps <= (previous_s + time_s) / 2:
        image = _to_rgb(previous, aspect) if image is None else image
        yield image
        k += 1
      previous, previous_s, image = frame, time_s, None
    if previous is None:
      raise MediaError(
        f'{path} has no readable video frames: convert or replace the file.'
      )
    if k / fps <= previous_s + 0.5 / fps:
      yield _to_rgb(previous, aspect)


def frame_rate(path: StrPath) -> float:
  """The average frame rate that a video file states, in Hz; 0 if unknown."""
  with open_container(path) as container:
    stream = picture_stream(container)
    return float((stream and stream.average_rate) or 0)


def _to_rgb(frame: av.VideoFrame, aspect: Fraction) -> np.ndarray:
  """Converts a decoded frame and turns it upright: [H, W, 3] uint8.

  Args:
    frame: what the decoder gives.
    aspect: width of a pixel over its height.
  """
  image = frame.to_ndarray(format='rgb24')
  if aspect != 1 and 1 / _MAX_ASPECT <= aspect <= _MAX_ASPECT:
    height, width = image.shape[:2]
    size = round(width * max(aspect, 1)), round(height * max(1 / aspect, 1))
    image = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
  quarter_turns = round((frame.rotation or 0) / 90) % 4
  return np.rot90(image, quarter_turns).copy() if quarter_turns else image
