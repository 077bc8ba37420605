"""One clock for the pictures and the sound of a file: its time stamps.

Zero is the first picture, or the first sound of a file without pictures. Sound
that begins later is preceded by silence, sound that begins earlier is cut, and
a hole in it is silence, so that picture and sound stay together.
"""

from collections.abc import Iterator

import av

from takin_jax.data.media.decode import (
  StrPath,
  decode,
  open_container,
  picture_stream,
)
from takin_jax.data.media.errors import MediaError

# A picture that stands still longer, or a pause of the sound that is longer,
# is damage: it would be written out frame by frame.
_MAX_GAP_S = 300.0
# Time stamps that fall back by more than this begin to count anew: files that
# were put behind one another.
_MAX_FALL_S = 0.5


def zero_s(path: StrPath) -> float | None:
  """When the first picture is shown, in the file's own time.

  Returns:
    None if the file has no pictures, or they have no time stamps.
  """
  with open_container(path) as container:
    stream = picture_stream(container)
    if stream is None:
      return None
    first = next(decode(container, stream), None)
    return None if first is None else first.time


class Clock:
  """Turns the time stamps of one stream into rising seconds.

  Args:
    name: of the file, for messages.
    zero_s: time stamp of zero; None: the first one that comes.
  """

  def __init__(self, name: StrPath, zero_s: float | None = None):
    self._name, self._zero_s = name, zero_s
    self._last_s: float | None = None

  def __call__(self, stamp_s: float | None, expected_s: float) -> float:
    """The time of a frame.

    Args:
      stamp_s: its time stamp; None where it has none.
      expected_s: when it would come if it followed the frame before at once.

    Raises:
      MediaError: it comes minutes later.
    """
    if stamp_s is None:
      time_s = expected_s
    else:
      if self._zero_s is None:
        self._zero_s = stamp_s
      time_s = stamp_s - self._zero_s
      if self._last_s is not None and time_s < self._last_s - _MAX_FALL_S:
        self._zero_s += time_s - expected_s
        time_s = expected_s
    if time_s > expected_s + _MAX_GAP_S:
      raise MediaError(
        f'{self._name} has a gap of {time_s - expected_s:.0f} seconds: cut the '
        'part that you want out of it.'
      )
    self._last_s = time_s
    return time_s


def timed_frames(
  container: av.container.InputContainer,
  stream: av.video.stream.VideoStream,
  name: StrPath,
) -> Iterator[tuple[av.VideoFrame, float]]:
  """Decodes pictures with their times: the first is 0, then never falling."""
  rate = stream.guessed_rate or stream.average_rate
  step_s = float(1 / rate) if rate else 0.04
  clock, time_s, expected_s = Clock(name), 0.0, 0.0
  for frame in decode(container, stream):
    time_s = max(time_s, clock(frame.time, expected_s))
    yield frame, time_s
    expected_s = time_s + step_s
