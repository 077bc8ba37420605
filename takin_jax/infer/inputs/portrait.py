"""The portrait: a picture of any kind -> what the model sees of it."""

from collections.abc import Sequence
import dataclasses

import numpy as np

from takin_jax.data import media
from takin_jax.data.faces import CropBox, crop_image
from takin_jax.errors import naming
from takin_jax.infer.inputs.crop import parse_crop, portrait_crop
from takin_jax.infer.inputs.files import Pictures, as_path, check_pictures


@dataclasses.dataclass(frozen=True)
class Portrait:
  """A picture and its animated part.

  Attributes:
    image: [H, W, 3] uint8 the whole picture.
    box: the square that is animated.
  """

  image: np.ndarray
  box: CropBox

  def crop(self, size_px: int) -> np.ndarray:
    """The animated part as [size_px, size_px, 3] uint8."""
    return crop_image(self.image, self.box, size_px)


def read_portrait(
  portrait: Pictures, crop: str | Sequence[float] = 'auto'
) -> Portrait:
  """Reads a picture and finds its face.

  Args:
    portrait: path, file object or [H, W, 3] uint8.
    crop: 'auto' (the largest face), 'none' (the whole picture) or x, y and
      size in pixels.

  Raises:
    InputError: no picture, no face, or nothing at the given place.
  """
  mode = parse_crop(crop)
  if isinstance(portrait, np.ndarray):
    image, name = check_pictures(portrait, 3, 'portrait'), 'the portrait'
  else:
    with naming('portrait'):
      image = media.read_image(as_path(portrait))
    name = str(getattr(portrait, 'name', portrait))
  return Portrait(image, portrait_crop(image, mode, name))
