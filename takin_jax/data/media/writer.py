"""RGB frames and sound -> a video file, one frame at a time."""

import contextlib
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from takin_jax.data.media.containers import OFFLINE, Container
from takin_jax.data.media.decode import StrPath, file_url
from takin_jax.data.media.errors import MediaError
from takin_jax.data.media.palette import Palette
from takin_jax.data.media.target import check_target, create_part
from takin_jax.face import FRAME_RATE_HZ, SAMPLE_RATE_HZ

_AUDIO_BIT_RATE = 96_000  # of one channel; more share what they have in common
# FFmpeg's names of the layouts that every encoder here has.
LAYOUTS = {1: 'mono', 2: 'stereo', 3: '3.0', 6: '5.1', 8: '7.1'}


def check_output(path: StrPath) -> Path:
  """Where a `VideoWriter` would write.

  Raises:
    MediaError: as `VideoWriter`, before there is anything to write.
  """
  return check_target(path, OFFLINE)


class VideoWriter:
  """Writes a video file; use it as a context manager.

  The file appears under its name when all went well and not at all otherwise.
  Frame k is shown at k / fps and sample i sounds at i / rate, in whatever
  order they are written; memory stays constant if they are written along.

  Args:
    path: the file to make, .mp4, .mov, .mkv, .webm or .gif (which has no
      sound); one that exists is replaced.
    fps: frame rate in Hz.
    rate: sample rate in Hz; None makes a video without sound.
    crf: quality of libx264, 0 (lossless) to 51.
    channels: of the sound, 1, 2, 3, 6 or 8.

  Raises:
    MediaError: the folder is missing or cannot be written to, or the ending
      names no kind of video.
  """

  def __init__(
    self,
    path: StrPath,
    fps: float = FRAME_RATE_HZ,
    rate: int | None = SAMPLE_RATE_HZ,
    crf: int = 18,
    channels: int = 1,
  ):
    place = check_output(path)
    self._start(path, OFFLINE[Path(path).suffix.lower()], fps, rate, channels)
    self._crf, self._place = crf, place
    self._part = create_part(place)
    self._container = self._open(file_url(self._part))

  def _start(
    self,
    path: StrPath,
    kind: Container,
    fps: float,
    rate: int | None,
    channels: int,
  ) -> None:
    """What live videos have, too."""
    self._path, self._kind = Path(path), kind
    self._fps = Fraction(fps).limit_denominator(1001)
    self._rate = rate if kind.audio else None
    self._layout = LAYOUTS[channels]
    self._video = self._audio = self._palette = None
    self._frames = self._samples = 0
    self._early: list[np.ndarray] = []  # sound that came before any picture

  def __enter__(self) -> 'VideoWriter':
    return self

  def __exit__(self, error_type, error, traceback) -> None:
    if error_type is None:
      self.close()
    else:
      self.discard()

  @property
  def frames(self) -> int:
    """Number of frames written so far."""
    return self._frames

  def write(self, image: np.ndarray) -> None:
    """Adds one picture: [H, W, 3] uint8 RGB, the same size every time."""
    # yuv420p has one colour per 2x2 pixels: repeat the last row and column.
    odd = [n % 2 for n in image.shape[:2]]
    if any(odd):
      image = cv2.copyMakeBorder(
        image, 0, odd[0], 0, odd[1], cv2.BORDER_REPLICATE
      )
    if self._video is None:
      self._add_streams(*image.shape[:2])
    image = np.ascontiguousarray(image)
    frame = av.VideoFrame.from_ndarray(image, format='rgb24')
    frame.pts, frame.duration = self._frames, 1
    frame.time_base = 1 / self._fps
    self._frames += 1
    if self._palette is not None:
      frame = self._palette(frame)
    self._encode(self._video, frame)

  def write_audio(self, samples: np.ndarray) -> None:
    """Adds sound: [S] mono or [S, C] float32 in [-1, 1], the next S samples."""
    if not self._rate or not len(samples):
      return
    if self._video is None:
      self._early.append(samples)
      return
    samples = np.clip(np.asarray(samples, np.float32), -1, 1)
    samples = samples.reshape(1, -1)  # PyAV 18 cannot pass on eight planes
    frame = av.AudioFrame.from_ndarray(samples, 'flt', self._layout)
    frame.sample_rate = self._rate
    frame.pts, frame.time_base = self._samples, Fraction(1, self._rate)
    self._samples += frame.samples
    self._encode(self._audio, frame)

  def close(self) -> None:
    """Finishes the file and gives it its name."""
    if self._video is None:
      self.discard()
      raise MediaError(f'{self._path} was not made: there was no frame.')
    try:
      self._finish()
      self._part.replace(self._place)
    except (MediaError, av.error.FFmpegError, OSError) as e:
      self.discard()
      raise self._failure(e) from e

  def discard(self) -> None:
    """Gives up: closes and deletes the unfinished file."""
    with contextlib.suppress(av.error.FFmpegError, OSError):
      self._container.close()
    self._part.unlink(missing_ok=True)

  def _open(self, target: str) -> av.container.OutputContainer:
    try:
      return av.open(
        target, 'w', format=self._kind.format, options=self._kind.options
      )
    except (av.error.FFmpegError, OSError) as e:
      self._part.unlink(missing_ok=True)
      raise self._failure(e) from e

  def _finish(self) -> None:
    for stream in filter(None, (self._video, self._audio)):
      self._encode(stream, None)
    self._container.close()

  def _encode(
    self,
    stream: av.stream.Stream,
    frame: av.VideoFrame | av.AudioFrame | None,
  ) -> None:
    try:
      self._container.mux(stream.encode(frame))
    except (av.error.FFmpegError, OSError) as e:
      raise self._failure(e) from e

  def _failure(self, cause: Exception) -> MediaError:
    if isinstance(cause, MediaError):
      return cause
    return MediaError(
      f'{self._path} could not be written ({cause}): free some space or choose '
      'another folder.'
    )

  def _add_streams(self, height: int, width: int) -> None:
    """Both streams are needed before the first packet."""
    kind = self._kind
    options = kind.video_options
    if kind.pixels != 'pal8':
      options = {'crf': str(self._crf), **options}
    video = self._container.add_stream(kind.video, self._fps, options=options)
    video.width, video.height, video.pix_fmt = width, height, kind.pixels
    self._video = video
    if kind.pixels == 'pal8':
      self._palette = Palette(height, width, self._fps)
    if self._rate:
      self._audio = self._container.add_stream(
        kind.audio, self._rate, layout=self._layout
      )
      channels = self._audio.channels
      self._audio.bit_rate = _AUDIO_BIT_RATE * (channels + 1) // 2
    early, self._early = self._early, []
    for samples in early:
      self.write_audio(samples)
