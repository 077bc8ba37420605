"""A face that moves: the driving video, or one whose expression is read."""

from collections.abc import Callable, Iterable, Iterator, Sequence
import dataclasses
import itertools

import numpy as np

from takin_jax.data import media
from takin_jax.data.faces import CropBox, crop_image
from takin_jax.errors import InputError, naming
from takin_jax.infer.inputs.crop import driving_crop, parse_crop, portrait_crop
from takin_jax.infer.inputs.files import File, Pictures, as_path, check_pictures
from takin_jax.infer.inputs.speech import OUTPUT_RATE_HZ, sound_by_frame

# Frames of a video that are looked at: one every so many, the first 20 s.
_EVERY, _MOST = 5, 500


@dataclasses.dataclass(frozen=True)
class DrivingVideo:
  """A video that can be read again and again.

  Attributes:
    frames: gives its pictures, [H, W, 3] uint8 each, at 25 Hz.
    box: the part of them that is followed.
    sound: gives its sound in pieces as long as a frame.
    sample_rate_hz: of the sound; None: there is none.
    channels: of the sound.
  """

  frames: Callable[[], Iterator[np.ndarray]]
  box: CropBox
  sound: Callable[[], Iterator[np.ndarray]] = lambda: iter(())
  sample_rate_hz: int | None = None
  channels: int = 1

  def crops(self, size_px: int) -> Iterator[np.ndarray]:
    """What the model sees of the frames: [size_px, size_px, 3] uint8 each."""
    return (crop_image(image, self.box, size_px) for image in self.frames())


def read_driving_video(
  video: Pictures, crop: str | Sequence[float] = 'auto'
) -> DrivingVideo:
  """Opens a video and finds its face.

  Args:
    video: path, file object or [T, H, W, 3] uint8 at 25 Hz.
    crop: as for a portrait.

  Raises:
    InputError: no video, no face, or nothing at the given place.
  """
  mode = parse_crop(crop, 'driving_crop')
  if isinstance(video, np.ndarray):
    pictures = check_pictures(video, 4, 'video')
    box = driving_crop(iter(pictures), mode, 'the driving video')
    return DrivingVideo(lambda: iter(pictures), box)
  path, name = as_path(video), str(getattr(video, 'name', video))

  def frames() -> Iterator[np.ndarray]:
    return media.read_frames(path)

  with naming('video'):
    box = driving_crop(frames(), mode, name)
  try:
    channels = media.channel_count(path)
    next(sound_by_frame(path))
  except media.MediaError:  # it has none
    return DrivingVideo(frames, box)
  sound = lambda: sound_by_frame(path)  # noqa: E731
  return DrivingVideo(frames, box, sound, OUTPUT_RATE_HZ, channels)


def face_pictures(face: File, size_px: int) -> Iterator[np.ndarray]:
  """The largest face in a file, [size_px, size_px, 3] uint8 once or more.

  Args:
    face: path or file object of a picture or a video.
    size_px: side of the pictures.

  Raises:
    InputError: there is no face, or the file cannot be read.
  """
  images, box = _open(as_path(face), str(getattr(face, 'name', face)))
  return (crop_image(image, box, size_px) for image in images)


def _open(path: File, name: str) -> tuple[Iterable[np.ndarray], CropBox]:
  """The pictures [H, W, 3] uint8 in a file, and where the face is."""
  try:
    try:
      image = media.read_image(path)
    except media.MediaError:  # then it is a video, or nothing
      box = driving_crop(media.read_frames(path), 'auto', name)
      return itertools.islice(media.read_frames(path), 0, _MOST, _EVERY), box
    return [image], portrait_crop(image, 'auto', name)
  except media.MediaError:
    raise
  except InputError:
    raise InputError(
      f'{name} shows no face that can be found: take a frontal, larger one.'
    ) from None
