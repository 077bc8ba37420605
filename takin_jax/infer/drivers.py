"""What moves the portrait: speech, or the face in a video.

Both give frames that were started on the device, [n, H, W, 3] at a time, and
the sound that goes with them.
"""

from collections.abc import Callable, Iterator
import itertools
import os

import jax
import numpy as np

from takin_jax.animation.controls import Controls
from takin_jax.data import media
from takin_jax.data.faces import crop_image
from takin_jax.face import FRAME_RATE_HZ, SAMPLES_PER_FRAME
from takin_jax.infer.engine import Engine
from takin_jax.infer.inputs import crop as crop_lib
from takin_jax.infer.session import Changing, Session
from takin_jax.types import Source

OUTPUT_RATE_HZ = 48_000

Path = str | os.PathLike[str]


class Speech:
  """A sound file of any length.

  Args:
    path: anything that PyAV opens.
    wish: gives emotion and controls as `Session` takes them, once the engine
      has been made.
    seed: of the noise that becomes motion.

  Attributes:
    count: number of frames.
    rate: sample rate of the output's sound.

  Raises:
    MediaError: there is no sound in the file.
  """

  def __init__(
    self,
    path: Path,
    wish: Callable[[], Controls | Changing],
    seed: int = 0,
  ):
    self._path, self._wish, self._seed = path, wish, seed
    samples = sum(len(block) for block in media.iter_audio(path))
    self.count = -(-samples // SAMPLES_PER_FRAME)
    self.rate = OUTPUT_RATE_HZ

  def frames(self, engine: Engine, source: Source) -> Iterator[jax.Array]:
    """Starts the frames; the engine is compiled for speech."""
    session = Session(engine, source, self._wish(), self._seed)
    for block in media.iter_audio(self._path):
      yield from session.feed(block)
    yield from session.flush()

  def sound(self) -> Iterator[np.ndarray]:
    """The sound of the output, in pieces of one frame."""
    return _sound_by_frame(self._path)


class Video:
  """The face in a driving video.

  Args:
    path: a video file.
    crop: 'auto', 'none' or 'x,y,size'.
    controls: relative or absolute motion, scales and limits.

  Attributes:
    count: None, the number of frames is not known beforehand.
    rate: sample rate of the output's sound; None: the video has none.

  Raises:
    InputError: there is no face in the video.
    MediaError: there are no pictures in the file.
  """

  count = None

  def __init__(self, path: Path, crop: str, controls: Controls):
    self._path, self._controls = path, controls
    mode = crop_lib.parse_crop(crop, 'driving_crop')
    self._crop = crop_lib.driving_crop(path, mode)
    self._sound = _sound_by_frame(path)
    try:
      self._sound = itertools.chain([next(self._sound)], self._sound)
      self.rate = OUTPUT_RATE_HZ
    except media.MediaError:
      self._sound, self.rate = iter(()), None

  def frames(self, engine: Engine, source: Source) -> Iterator[jax.Array]:
    """Starts the frames; the engine is compiled for video."""
    controls = self._controls.as_arrays(3 * source.kp.shape[-2])
    first = None
    for image in media.read_frames(self._path):
      image = crop_image(image, self._crop, engine.size_px)
      first = engine.motion(image) if first is None else first
      yield engine.reenact(source, first, image, controls)

  def sound(self) -> Iterator[np.ndarray]:
    """The sound of the output, in pieces of one frame."""
    return self._sound


def _sound_by_frame(path: Path) -> Iterator[np.ndarray]:
  block = OUTPUT_RATE_HZ // FRAME_RATE_HZ
  return media.iter_audio(path, OUTPUT_RATE_HZ, block)
