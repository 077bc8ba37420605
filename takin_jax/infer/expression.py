"""The expression of a face in a picture or a video, as an emotion.

In: a file. Out: the mean expression that the motion extractor reads, in the
space of the named emotions: offsets from the face's own canonical keypoints.
"""

from collections.abc import Iterable
import itertools
import os
from typing import Any

import jax
import numpy as np

from takin_jax.data import media
from takin_jax.data.faces import CropBox, crop_image
from takin_jax.errors import InputError
from takin_jax.infer import programs
from takin_jax.infer.engine import DEFAULT_IMAGE_PX
from takin_jax.infer.inputs import crop as crop_lib

# Frames of a video that are looked at: one every so many, the first 20 s.
_EVERY, _MOST = 5, 500

Path = str | os.PathLike[str]


def read_expression(
  path: Path, config: Any, params: dict[str, Any]
) -> np.ndarray:
  """[3K] mean expression of the largest face.

  Args:
    path: a picture or a video file.
    config: of the weights.
    params: their parameters by group.

  Raises:
    InputError: there is no face, or the weights have no motion extractor.
    MediaError: the file cannot be read.
  """
  if 'motion' not in params:
    raise InputError(
      f'The weights of {config.name!r} have no motion, which --emotion-from '
      'needs: take other weights.'
    )
  images, box = _open(path)
  size_px = config.model.get('image_size', DEFAULT_IMAGE_PX)
  group = {'motion': params['motion']}
  look = jax.jit(lambda p, x: programs.read_motion(config, p, x)[1].exp)
  seen = [look(group, crop_image(image, box, size_px)) for image in images]
  return np.mean(seen, 0).reshape(-1)


def _open(path: Path) -> tuple[Iterable[np.ndarray], CropBox]:
  """The pictures [H, W, 3] uint8 in a file, and where the face is."""
  try:
    try:
      image = media.read_image(path)
    except media.MediaError:  # then it is a video, or nothing
      frames = media.read_frames(path)
      box = crop_lib.driving_crop(path, 'auto')
      return itertools.islice(frames, 0, _MOST, _EVERY), box
    box = crop_lib.portrait_crop(image, 'auto', str(path))
    return [image], box
  except media.MediaError:
    raise
  except InputError:
    raise InputError(
      f'--emotion-from {path} shows no face that can be found: take a frontal, '
      'larger one.'
    ) from None
