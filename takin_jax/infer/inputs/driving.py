"""A face that moves: the driving video, or one whose expression is read."""

from collections.abc import Callable, Iterator, Sequence
import dataclasses
import itertools
import os

import numpy as np

from takin_jax.data import media
from takin_jax.data.faces import CropBox, Track, crop_image
from takin_jax.errors import InputError, naming
from takin_jax.face import FRAME_RATE_HZ
from takin_jax.infer.inputs.crop import (
  Mode,
  driving_track,
  parse_crop,
  portrait_crop,
)
from takin_jax.infer.inputs.files import File, Pictures, as_path, check_pictures
from takin_jax.infer.inputs.speech import OUTPUT_RATE_HZ, sound_by_frame

HELD_S = 10  # a driving picture
# Of a video of an expression, one frame in so many is read, in the first 20 s.
_EVERY, _MOST = 5, 500
# JPEG, PNG, BMP and TIFF by their first bytes; brands of HEIF.
_PICTURES = (b'\xff\xd8\xff', b'\x89PNG', b'BM', b'II*\x00', b'MM\x00*')
_HEIF = (b'heic', b'heix', b'mif1', b'avif')


@dataclasses.dataclass(frozen=True)
class DrivingVideo:
  """A video that can be read again and again.

  Attributes:
    frames: gives its pictures, [H, W, 3] uint8 each, at 25 Hz.
    track: the part of them that is followed.
    sound: gives its sound in pieces as long as a frame.
    sample_rate_hz: of the sound; None: there is none.
    channels: of the sound.
    still: it is one picture, which is held.
  """

  frames: Callable[[], Iterator[np.ndarray]]
  track: Track | CropBox
  sound: Callable[[], Iterator[np.ndarray]] = lambda: iter(())
  sample_rate_hz: int | None = None
  channels: int = 1
  still: bool = False

  def crops(self, size_px: int) -> Iterator[np.ndarray]:
    """What the model sees of the frames: [size_px, size_px, 3] uint8 each.

    Where there is no face the picture before is given again, the very object;
    before the first face its picture is.
    """
    track = self.track
    if isinstance(track, CropBox):
      yield from (crop_image(image, track, size_px) for image in self.frames())
      return
    last = None
    for number, image in enumerate(self.frames()):
      if number < len(track.found) and track.found[number]:
        last = track.crop(image, number, size_px)
        if number == track.first:
          yield from itertools.repeat(last, number)
      if last is not None:
        yield last


def read_driving_video(
  video: Pictures, crop: str | Sequence[float] = 'auto'
) -> DrivingVideo:
  """Opens a video and finds its face.

  Args:
    video: path, file object or [T, H, W, 3] uint8 at 25 Hz; a picture is held
      for `HELD_S` seconds.
    crop: as for a portrait.

  Raises:
    InputError: no video, no face, or nothing at the given place.
  """
  mode = parse_crop(crop, 'driving_crop')
  if isinstance(video, np.ndarray):
    pictures = check_pictures(video, 4, 'video')
    track = driving_track(iter(pictures), mode, 'the driving video')
    return DrivingVideo(lambda: iter(pictures), track)
  path, name = as_path(video), str(getattr(video, 'name', video))
  with naming('video'):
    if _is_picture(path):
      return _held(media.read_image(path), mode, name)
    track = driving_track(media.read_frames(path), mode, name)
  try:
    channels = media.channel_count(path)
    next(sound_by_frame(path))
  except media.MediaError:  # it has none
    return DrivingVideo(lambda: media.read_frames(path), track)
  return DrivingVideo(
    lambda: media.read_frames(path),
    track,
    lambda: sound_by_frame(path),
    OUTPUT_RATE_HZ,
    channels,
  )


def _held(image: np.ndarray, mode: Mode, name: str) -> DrivingVideo:
  """A picture as a video that stands still."""
  box = portrait_crop(image, mode, name, 'driving_crop')
  count = HELD_S * FRAME_RATE_HZ
  return DrivingVideo(lambda: itertools.repeat(image, count), box, still=True)


def _is_picture(path: File) -> bool:
  """Whether a file begins as pictures do."""
  if not os.path.isfile(path):
    return False
  with open(path, 'rb') as file:
    head = file.read(16)
  return head.startswith(_PICTURES) or (
    (head[:4] == b'RIFF' and head[8:12] == b'WEBP')
    or (head[4:8] == b'ftyp' and head[8:12] in _HEIF)
  )


def face_pictures(face: File, size_px: int) -> Iterator[np.ndarray]:
  """The largest face in a file, [size_px, size_px, 3] uint8 once or more.

  Args:
    face: path or file object of a picture or a video.
    size_px: side of the pictures.

  Raises:
    InputError: there is no face, or the file cannot be read.
  """
  path, name = as_path(face), str(getattr(face, 'name', face))
  try:
    if _is_picture(path):
      image = media.read_image(path)
      box = portrait_crop(image, 'auto', name)
      return iter([crop_image(image, box, size_px)])
    frames = itertools.islice(media.read_frames(path), _MOST)
    track = driving_track(frames, 'auto', name)
  except media.MediaError:
    raise
  except InputError:
    raise InputError(
      f'{name} shows no face that can be found: take a frontal, larger one.'
    ) from None
  frames = itertools.islice(enumerate(media.read_frames(path)), _MOST)
  return (
    track.crop(image, number, size_px)
    for number, image in frames
    if number % _EVERY == 0 and track.found[number]
  )
