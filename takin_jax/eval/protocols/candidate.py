"""The weights under test, opened once, and run as infer.py runs them."""

from collections.abc import Iterator
import dataclasses
import itertools
from typing import Any

import cv2
import jax
from ml_collections import ConfigDict
import numpy as np

from takin_jax.animation import idle
from takin_jax.animation.chunks import ChunkConfig
from takin_jax.animation.controls import Controls
from takin_jax.errors import InputError
from takin_jax.eval.cache import digest
from takin_jax.face import SAMPLES_PER_FRAME
from takin_jax.infer import checkpoint, frames
from takin_jax.infer.device import pick_device
from takin_jax.infer.engine import Engine
from takin_jax.infer.pipeline import Pipeline
from takin_jax.infer.reenactment import reenact
from takin_jax.infer.session import Session
from takin_jax.types import Source


@dataclasses.dataclass(frozen=True)
class Candidate:
  """Weights that figures are made of, and what makes the figures' videos.

  Attributes:
    pipeline: the loaded weights.
  """

  pipeline: Pipeline

  @property
  def config(self) -> ConfigDict:
    """Of the weights."""
    return self.pipeline.config

  @property
  def params(self) -> dict[str, Any]:
    """Their parameters by group."""
    return self.pipeline.params

  @property
  def engine(self) -> Engine:
    """Runs the model."""
    return self.pipeline.engine

  @property
  def size_px(self) -> int:
    """Side of the pictures that go in."""
    return self.engine.size_px

  @property
  def digest(self) -> str:
    """Changes with any parameter and setting, for caches."""
    settings = np.frombuffer(repr(self.config.to_dict()).encode(), np.uint8)
    leaves = jax.tree_util.tree_leaves_with_path(self.params)
    names = np.frombuffer(repr([path for path, _ in leaves]).encode(), np.uint8)
    return digest(settings, names, *(np.asarray(x) for _, x in leaves))

  @property
  def controls(self) -> Controls:
    """What a user gets who asks for nothing."""
    return self.pipeline.controls

  def emotion(self, name: str | None) -> np.ndarray | None:
    """[3K] of `NAME[:scale]`; None: the default of these weights."""
    return self.pipeline.emotion(name)

  def need(self, *groups: str) -> None:
    """Raises InputError if the weights lack one of the groups."""
    missing = [group for group in groups if group not in self.params]
    if missing:
      raise InputError(
        f'The weights {self.config.name!r} have no {" and no ".join(missing)}, '
        'which this report needs.'
      )


def open_candidate(weights: str, device: str = 'auto') -> Candidate:
  """Reads weights by name or folder."""
  return Candidate(Pipeline(*checkpoint.load(weights), pick_device(device)))


def speak(
  engine: Engine,
  source: Source,
  sound: np.ndarray,
  controls: Controls,
  emotion: np.ndarray | None = None,
  seed: int = 0,
  every: int = 1,
) -> Iterator[np.ndarray]:
  """Makes a portrait say something.

  Args:
    engine: the model.
    source: the portrait.
    sound: [S] float32 mono at 16 kHz.
    controls: scales and limits.
    emotion: [3K] or None.
    seed: of the motion.
    every: renders each so-manieth frame only.

  Yields:
    [H, W, 3] uint8, one for every `every` * 640 samples.
  """
  chunks = ChunkConfig(chunk=engine.diffusion.window)
  session = Session(
    engine,
    source,
    controls,
    emotion,
    chunks=chunks,
    seed=seed,
    levels_db=idle.levels(sound),
  )

  def started() -> Iterator[jax.Array]:
    number = 0
    chunks = (session.motions(sound), session.last_motions())
    for motions, count in itertools.chain(*chunks):
      for i in range(count):
        if number % every == 0:
          yield engine.render(source, motions, i)
        number += 1

  yield from frames.fetch(started())


def drive(
  engine: Engine, portrait: np.ndarray, driving: np.ndarray, controls: Controls
) -> np.ndarray:
  """Moves a portrait by the changes since the first driving frame.

  Args:
    engine: the model.
    portrait: [H, H, 3] uint8.
    driving: [T, H, H, 3] uint8.
    controls: scales and limits.

  Returns:
    [T, H, H, 3] uint8; larger frames are reduced to the portrait's size.
  """
  source = engine.encode_source(portrait)
  started = reenact(engine, source, driving, controls)
  size = portrait.shape[:2]
  return np.stack([_fit(frame, size) for frame in frames.fetch(started)])


def _fit(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
  if frame.shape[:2] == size:
    return frame
  return cv2.resize(frame, size[::-1], interpolation=cv2.INTER_AREA)


def frame_count(sound: np.ndarray) -> int:
  """Frames that `speak` makes of a sound."""
  return -(-len(sound) // SAMPLES_PER_FRAME)
