"""The weights under test, opened once, and run as infer.py runs them."""

from collections.abc import Iterator
import dataclasses
import itertools
from typing import Any

import cv2
import jax
from ml_collections import ConfigDict
import numpy as np

from takin_jax.animation.controls import Controls
from takin_jax.errors import InputError
from takin_jax.eval.cache import digest
from takin_jax.face import SAMPLES_PER_FRAME
from takin_jax.infer import loading, output
from takin_jax.infer.engine import Engine, pick_device
from takin_jax.infer.session import Session
from takin_jax.types import Source

_DEFAULT_PX = 256


@dataclasses.dataclass(frozen=True)
class Candidate:
  """Weights that figures are made of.

  Attributes:
    config: their config.
    params: their parameters by group.
    device: where they run.
  """

  config: ConfigDict
  params: dict[str, Any]
  device: jax.Device

  @property
  def size_px(self) -> int:
    """Side of the pictures that go in."""
    return self.config.model.get('image_size', _DEFAULT_PX)

  @property
  def digest(self) -> str:
    """Changes with any parameter and setting, for caches."""
    settings = np.frombuffer(repr(self.config.to_dict()).encode(), np.uint8)
    leaves = jax.tree_util.tree_leaves_with_path(self.params)
    names = np.frombuffer(repr([path for path, _ in leaves]).encode(), np.uint8)
    return digest(settings, names, *(np.asarray(x) for _, x in leaves))

  @property
  def controls(self) -> Controls:
    """What infer.py takes when the user asks for nothing."""
    return loading.controls(self.config)

  def emotion(self, name: str | None) -> np.ndarray | None:
    """[3K] of `NAME[:scale]`; None: the default of these weights."""
    return loading.emotion_vector(name, self.config, self.params)

  def engine(self, video: bool) -> Engine:
    """Compiles for driving videos or for speech."""
    return Engine(self.config, self.params, self.device, video)

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
  config, params = loading.load(weights)
  return Candidate(config, params, pick_device(device))


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
    engine: compiled for speech.
    source: the portrait.
    sound: [S] float32 mono at 16 kHz.
    controls: scales and limits.
    emotion: [3K] or None.
    seed: of the motion.
    every: renders each so-manieth frame only.

  Yields:
    [H, W, 3] uint8, one for every `every` * 640 samples.
  """
  controls = controls.replace(emotion=emotion)
  session = Session(engine, source, controls, seed)

  def started() -> Iterator[jax.Array]:
    number = 0
    chunks = (session.motions(sound), session.last_motions())
    for motions, count in itertools.chain(*chunks):
      for i in range(count):
        if number % every == 0:
          yield engine.frames(source, motions, i)
        number += 1

  yield from output.fetch(started())


def drive(
  engine: Engine, portrait: np.ndarray, driving: np.ndarray, controls: Controls
) -> np.ndarray:
  """Moves a portrait by the changes since the first driving frame.

  Args:
    engine: compiled for video.
    portrait: [H, H, 3] uint8.
    driving: [T, H, H, 3] uint8.
    controls: scales and limits.

  Returns:
    [T, H, H, 3] uint8; larger frames are reduced to the portrait's size.
  """
  source = engine.source(portrait)
  controls = controls.as_arrays(3 * source.kp.shape[-2])
  first = engine.motion(driving[0])
  started = (
    engine.reenact(source, first, image, controls) for image in driving
  )
  size = portrait.shape[:2]
  return np.stack([_fit(frame, size) for frame in output.fetch(started)])


def _fit(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
  if frame.shape[:2] == size:
    return frame
  return cv2.resize(frame, size[::-1], interpolation=cv2.INTER_AREA)


def frame_count(sound: np.ndarray) -> int:
  """Frames that `speak` makes of a sound."""
  return -(-len(sound) // SAMPLES_PER_FRAME)
