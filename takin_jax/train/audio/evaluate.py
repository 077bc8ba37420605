"""Stage 2 on people it was not trained on: figures and curves.

All speech of the val people is turned into motion window by window, without
the motion before it, once with its own sound and once with that of another
window, which must not fit.
"""

from collections.abc import Callable
import functools
import pathlib
from typing import Any

import cv2
import jax
import jax.numpy as jnp
from ml_collections import ConfigDict
import numpy as np

from takin_jax import audio_to_motion, face
from takin_jax.config import build
from takin_jax.data.batches import motion_clips, motion_windows
from takin_jax.data.records import motion_cache
from takin_jax.data.speech import recordings
from takin_jax.diffusion.schedule import DiffusionConfig
from takin_jax.errors import InputError
from takin_jax.train.audio.figures import figures, lip_gap
from takin_jax.train.audio.videos import TalkingVideos
from takin_jax.train.state import Params

_CURVES = 6
_STATES_ERROR = 0.05  # rounding to float16 makes much less


class HeldOut:
  """Makes the motion that belongs to the speech of the `val` people.

  Args:
    config: of the run.
  """

  def __init__(self, config: ConfigDict):
    self._config = config
    cfg = build(DiffusionConfig, config.diffusion)
    self._windows = motion_windows.eval_windows(
      config.data, cfg.window, cfg.prefix
    )
    self._generate = _generator(config)
    self._size = config.get('eval', {}).get('batch_size', 8)
    if self._size < 1:
      raise InputError(f'eval.batch_size is {self._size}: take 1 or more.')
    self._videos = TalkingVideos(config)

  def check(self) -> list[str]:
    """What a `Task` says before it starts."""
    self._videos.check()
    if self._windows:
      return []
    records = self._config.data.records
    return [
      f'Nothing will be evaluated, as no held-out clip of {records} has speech.'
    ]

  def evaluate(self, params: Params) -> dict[str, float]:
    """Lips and head of generated motion against the real ones.

    Raises:
      InputError: if cached states are another encoder's.
    """
    check_states(self._config, params)
    windows = self._windows
    if not windows:
      return {}
    waves = windows['wave']
    order = np.roll(np.arange(len(waves)), max(len(waves) // 2, 1))
    other = {**windows, 'wave': waves[order]}
    found, wrong = (self._motion(params, x) for x in (windows, other))
    return figures(found, wrong, windows)

  def draw(self, params: Params, path: pathlib.Path) -> None:
    """The lips' gap over time: real green, generated red; and videos.

    Args:
      params: averaged ones.
      path: of the files, without what comes behind the number of the step.
    """
    if not self._windows:
      return
    windows = {k: v[:_CURVES] for k, v in self._windows.items()}
    motion = self._motion(params, windows)
    pairs = zip(lip_gap(windows['motion']), lip_gap(motion), strict=True)
    rows = [_curves(real, generated) for real, generated in pairs]
    cv2.imwrite(str(path.with_suffix('.png')), np.concatenate(rows))
    self._videos.write(windows, motion, path)

  def _motion(
    self, params: Params, windows: dict[str, np.ndarray]
  ) -> np.ndarray:
    """[N, T, M] for the windows."""
    wanted = ('wave', 'emotion', 'source_kp')
    results = []
    for i in range(0, len(windows['wave']), self._size):
      batch = {k: windows[k][i : i + self._size] for k in wanted}
      results.append(self._generate(params, batch))
    return np.concatenate(jax.device_get(results))


def check_states(config: ConfigDict, params: Params) -> None:
  """One cached window must be what the run's own encoder hears."""
  folder = config.data.get('cache', '')
  if not folder or not motion_cache.read_facts(folder).states:
    return
  clips = motion_clips.load_clips(config.data.records, cached=folder)
  clip = next((c for c in clips if len(c.starts)), None)
  if clip is None:
    return
  states = motion_cache.States(folder, {clip.id: len(clip.starts)})(clip.id, 0)
  samples = recordings.sample_count(states.shape[1])
  wave = motion_windows.sound(clip, int(clip.starts[0]), samples, 1.0)
  hear = jax.jit(functools.partial(audio_to_motion.encode_speech, config.model))
  heard = np.asarray(hear(params, wave[None])[:, 0])
  error = np.abs(heard - states).mean() / np.abs(heard).mean()
  if not error < _STATES_ERROR:
    raise InputError(
      f"The states in {folder} are not those of this run's speech encoder: "
      'extract them again from the weights in train.init_from.'
    )


def _curves(real: np.ndarray, found: np.ndarray) -> np.ndarray:
  """[128, 8 T, 3] BGR picture of two curves."""
  picture = np.full((128, 8 * len(real), 3), 255, np.uint8)
  span = max(np.ptp(real), 1e-6)
  for curve, colour in ((real, (0, 160, 0)), (found, (0, 0, 220))):
    y = 96 - 64 * (curve - real.min()) / span
    points = np.stack([8 * np.arange(len(y)), np.clip(y, 0, 127)], -1)
    cv2.polylines(picture, [points.astype(np.int32)], False, colour, 2)
  return picture


def _generator(config: ConfigDict) -> Callable[..., jax.Array]:
  """Jitted: parameters and windows -> [B, T, M] motion."""
  prefix = build(DiffusionConfig, config.diffusion).prefix

  @jax.jit
  def generate(params: Params, batch: dict[str, Any]) -> jax.Array:
    count = len(batch['wave'])
    context = audio_to_motion.Context(
      source_kp=batch['source_kp'].reshape(count, -1, 3),
      emotion=batch['emotion'],
      has_emotion=jnp.ones(count, bool),
      prefix=jnp.zeros((count, prefix, face.MOTION_DIM)),
      prefix_mask=jnp.zeros((count, prefix), bool),
    )
    states = audio_to_motion.encode_speech(config.model, params, batch['wave'])
    key = jax.random.key(0)
    x = audio_to_motion.generate(config, params, states, context, key)
    return audio_to_motion.to_motion(params, x)

  return generate
