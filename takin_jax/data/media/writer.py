"""RGB frames and mono sound -> MP4 (H.264 + AAC), one frame at a time."""

import contextlib
from fractions import Fraction
import os
from pathlib import Path

import av
import cv2
import numpy as np

from takin_jax.data.media.decode import StrPath
from takin_jax.data.media.errors import MediaError
from takin_jax.face import FRAME_RATE_HZ, SAMPLE_RATE_HZ

_AUDIO_BIT_RATE = 96_000


class VideoWriter:
  """Writes an MP4 file; use it as a context manager.

  The file appears under its name when all went well and not at all otherwise.
  Frame k is shown at k / fps and sample i sounds at i / rate, in whatever
  order they are written; memory stays constant if they are written along.

  Args:
    path: the file to make; one that exists is replaced.
    fps: frame rate in Hz.
    rate: sample rate in Hz; None makes a video without sound.
    crf: quality of libx264, 0 (lossless) to 51.

  Raises:
    MediaError: the folder is missing or cannot be written to.
  """

  def __init__(
    self,
    path: StrPath,
    fps: float = FRAME_RATE_HZ,
    rate: int | None = SAMPLE_RATE_HZ,
    crf: int = 18,
  ):
    self._path = Path(path)
    self._part = self._path.with_name(f'.{self._path.name}.{os.getpid()}.part')
    self._fps = Fraction(fps).limit_denominator(1001)
    self._rate, self._crf = rate, crf
    self._video = self._audio = None
    self._frames = self._samples = 0
    self._early: list[np.ndarray] = []  # sound that came before any picture
    self._container = self._open()

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
    self._encode(self._video, frame)

  def write_audio(self, samples: np.ndarray) -> None:
    """Adds sound: [S] float32 mono in [-1, 1], the next S samples."""
    if self._video is None:
      self._early.append(samples)
      return
    if not len(samples):
      return
    samples = np.clip(np.asarray(samples, np.float32), -1, 1)[None]
    frame = av.AudioFrame.from_ndarray(samples, format='fltp', layout='mono')
    frame.sample_rate = self._rate
    frame.pts, frame.time_base = self._samples, Fraction(1, self._rate)
    self._samples += samples.shape[1]
    self._encode(self._audio, frame)

  def close(self) -> None:
    """Finishes the file and gives it its name."""
    if self._video is None:
      self.discard()
      raise MediaError(f'{self._path} was not made: there was no frame.')
    try:
      for stream in filter(None, (self._video, self._audio)):
        self._encode(stream, None)
      self._container.close()
      self._part.replace(self._path)
    except (MediaError, av.error.FFmpegError, OSError) as e:
      self.discard()
      raise self._failure(e) from e

  def discard(self) -> None:
    """Gives up: closes and deletes the unfinished file."""
    with contextlib.suppress(av.error.FFmpegError, OSError):
      self._container.close()
    self._part.unlink(missing_ok=True)

  def _open(self) -> av.container.OutputContainer:
    folder = self._path.parent
    if not folder.is_dir():
      raise MediaError(f'{folder} is not a folder: make it, or choose another.')
    if self._path.is_dir():
      raise MediaError(f'{self._path} is a folder: add a file name to it.')
    try:
      self._part.touch()  # FFmpeg opens the file only with the first packet
      return av.open(
        str(self._part),
        'w',
        format='mp4',
        options={'movflags': '+faststart'},
      )
    except (av.error.FFmpegError, OSError) as e:
      with contextlib.suppress(OSError):
        self._part.unlink()
      raise MediaError(
        f'{folder} is not writable: choose another folder.'
      ) from e

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

  def _encoder_options(self) -> dict[str, str]:
    """Options of libx264."""
    return {'crf': str(self._crf)}

  def _add_streams(self, height: int, width: int) -> None:
    """Both streams are needed before the first packet."""
    video = self._container.add_stream(
      'libx264', self._fps, options=self._encoder_options()
    )
    video.width, video.height, video.pix_fmt = width, height, 'yuv420p'
    self._video = video
    if self._rate:
      self._audio = self._container.add_stream('aac', self._rate, layout='mono')
      self._audio.bit_rate = _AUDIO_BIT_RATE
    early, self._early = self._early, []
    for samples in early:
      self.write_audio(samples)
