"""A portrait that moves like somebody else: driving pictures in, frames out."""

from collections.abc import Iterable, Iterator

import jax
import numpy as np

from takin_jax.animation.controls import Controls
from takin_jax.infer.engine import Engine
from takin_jax.infer.programs import EncodeSource, ExtractMotion, Reenact
from takin_jax.types import Source

PROGRAMS = (ExtractMotion(), EncodeSource(), Reenact())


def reenact(
  engine: Engine,
  source: Source,
  pictures: Iterable[np.ndarray],
  controls: Controls,
) -> Iterator[jax.Array]:
  """Starts a frame for every driving picture.

  Args:
    engine: the model.
    source: the portrait, of `engine.encode_source`.
    pictures: [size_px, size_px, 3] uint8 each; the changes since the first
      move the portrait. The same object again gives the same frame.
    controls: relative or absolute motion, scales and limits.

  Yields:
    [1, H, W, 3] uint8, as `frames.fetch` takes it.
  """
  controls = controls.as_arrays(3 * source.kp.shape[-2])
  first = last = frame = None
  for picture in pictures:
    if picture is not last:
      last, motion = picture, engine.extract_motion(picture)
      first = motion if first is None else first
      frame = engine.reenact(source, first, motion, controls)
    yield frame
