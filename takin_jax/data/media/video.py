"""Video -> RGB pictures at a constant rate."""

from collections.abc import Iterator

import av
import numpy as np

from takin_jax.data.media.decode import StrPath, decode, open_container
from takin_jax.data.media.errors import MediaError
from takin_jax.face import FRAME_RATE_HZ


def read_frames(
  path: StrPath, fps: float = FRAME_RATE_HZ
) -> Iterator[np.ndarray]:
  """Yields the pictures of a video at a constant rate.

  Each output frame is the decoded frame nearest in time. Rotation metadata is
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
    if not container.streams.video:
      raise MediaError(f'{path} has no video stream: give a video file.')
    stream = container.streams.video[0]
    stream.thread_type = 'AUTO'
    k, previous, previous_s, image = 0, None, 0.0, None
    for frame, time_s in _timed(decode(container, stream), 1 / fps):
      # Output frame k is due while it is nearer to the previous frame.
      while previous is not None and k / fps <= (previous_s + time_s) / 2:
        image = _to_rgb(previous) if image is None else image
        yield image
        k += 1
      previous, previous_s, image = frame, time_s, None
    if previous is None:
      raise MediaError(
        f'{path} has no readable video frames: convert or replace the file.'
      )
    if k / fps <= previous_s + 0.5 / fps:
      yield _to_rgb(previous)


def frame_rate(path: StrPath) -> float:
  """The average frame rate that a video file states, in Hz; 0 if unknown."""
  with open_container(path) as container:
    streams = container.streams.video
    return float((streams and streams[0].average_rate) or 0)


def _timed(
  frames: Iterator[av.VideoFrame], default_s: float
) -> Iterator[tuple[av.VideoFrame, float]]:
  """Adds seconds since the first frame, never falling.

  Args:
    frames: decoded frames.
    default_s: duration of a frame without a time stamp.
  """
  start_s, time_s = None, 0.0
  for frame in frames:
    if frame.time is not None:
      start_s = frame.time if start_s is None else start_s
      time_s = max(time_s, frame.time - start_s)
    elif start_s is not None:
      time_s += default_s
    else:
      start_s = 0.0
    yield frame, time_s


def _to_rgb(frame: av.VideoFrame) -> np.ndarray:
  """Converts and turns a decoded frame upright: [H, W, 3] uint8."""
  image = frame.to_ndarray(format='rgb24')
  quarter_turns = round((frame.rotation or 0) / 90) % 4
  return np.rot90(image, quarter_turns).copy() if quarter_turns else image
