"""Stage 2 on people it was not trained on: figures and curves.

All speech of the val people is turned into motion window by window, without
the motion before it, once with its own sound and once with that of another
window, which must not fit.
"""

import functools
import pathlib
from typing import Any

import cv2
import jax
import jax.numpy as jnp
from ml_collections import ConfigDict
import numpy as np

from takin_jax import face
from takin_jax.config import build, from_json, to_json
from takin_jax.data.batches import motion_clips, motion_windows
from takin_jax.data.records import motion_cache
from takin_jax.data.speech import recordings
from takin_jax.diffusion import normalization
from takin_jax.diffusion.motion import sample_motion
from takin_jax.diffusion.schedule import DiffusionConfig
from takin_jax.errors import InputError
from takin_jax.models.denoiser import DenoiserConfig, MotionDenoiser
from takin_jax.models.hubert import Hubert, HubertConfig
from takin_jax.train.audio.videos import write_videos

Params = dict[str, Any]

_CURVES = 6
_STATES_ERROR = 0.05  # rounding to float16 makes much less


def normalize(
  stats: Params, batch: dict[str, jax.Array]
) -> dict[str, jax.Array]:
  """Motion, prefix and emotion of a batch in the denoiser's units."""
  names = ('motion', 'prefix', 'emotion')
  return {
    **batch,
    **{k: normalization.normalize(stats, batch[k]) for k in names},
  }


def lip_gap(motion: np.ndarray) -> np.ndarray:
  """[..., M] motion vectors -> [...] change of the gap between the lips."""
  return face.gaps(face.exp_points(motion), (face.INNER_LIPS,))[..., 0]


def fit(
  found: np.ndarray, wanted: np.ndarray, mask: np.ndarray
) -> tuple[float, float]:
  """Mean correlation and slope of [N, T] curves, each on its own."""
  results = []
  for x, y, seen in zip(found, wanted, mask, strict=True):
    x, y = (v[seen] - v[seen].mean() for v in (x, y))
    xx, yy, xy = (x * x).sum(), (y * y).sum(), (x * y).sum()
    if yy > 0:
      results.append((xy / np.sqrt(max(xx * yy, 1e-20)), xy / yy))
  r, slope = np.mean(results, 0) if results else (0.0, 0.0)
  return float(r), float(slope)


def evaluate(
  config: ConfigDict, params: Params, step: int, workdir: pathlib.Path
) -> dict[str, float]:
  """Lips and head of generated motion against the real ones.

  Raises:
    InputError: if cached states are another encoder's.
  """
  del step, workdir
  _check_states(config, params)
  windows = _windows(to_json(config))
  if not windows:
    return {}
  real, mask = windows['motion'], windows['frame_mask']
  found = _generate(config, params, windows)
  order = np.roll(np.arange(len(real)), max(len(real) // 2, 1))
  wrong = _generate(config, params, {**windows, 'wave': windows['wave'][order]})
  lips_r, lips_gain = fit(lip_gap(found), lip_gap(real), mask)

  def spread(curves: np.ndarray) -> float:
    return np.std(curves, 1, where=mask).mean()

  return {
    'lips_r': lips_r,
    'lips_gain': lips_gain,
    'lips_r_other_sound': fit(lip_gap(wrong), lip_gap(real), mask)[0],
    'lips_spread': spread(lip_gap(found)) / spread(lip_gap(real)),
    'yaw_spread': spread(found[..., face.YAW]) / spread(real[..., face.YAW]),
    'jerk': _jerk(found) / _jerk(real),
  }


def _check_states(config: ConfigDict, params: Params) -> None:
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
  hubert = Hubert(build(HubertConfig, config.model.speech))
  hear = jax.jit(lambda p, x: hubert.apply({'params': p}, x)[:, 0])
  heard = np.asarray(hear(params['speech'], wave[None]))
  error = np.abs(heard - states).mean() / np.abs(heard).mean()
  if not error < _STATES_ERROR:
    raise InputError(
      f"The states in {folder} are not those of this run's speech encoder: "
      'extract them again from the weights in train.init_from.'
    )


def samples(
  config: ConfigDict, params: Params, step: int, folder: pathlib.Path
) -> None:
  """Draws the lips' gap over time: real green, generated red; and videos."""
  windows = _windows(to_json(config))
  if not windows:
    return
  windows = {k: v[:_CURVES] for k, v in windows.items()}
  motion = _generate(config, params, windows)
  rows = [
    _curves(real, generated)
    for real, generated in zip(
      lip_gap(windows['motion']), lip_gap(motion), strict=True
    )
  ]
  cv2.imwrite(str(folder / f'{step:06d}.png'), np.concatenate(rows))
  write_videos(config, windows, motion, folder / f'{step:06d}')


def _jerk(motion: np.ndarray) -> float:
  """Mean size of the third difference of the expression."""
  return float(np.abs(np.diff(motion[..., face.EXP], 3, axis=1)).mean())


def _curves(real: np.ndarray, found: np.ndarray) -> np.ndarray:
  """[128, 8 T, 3] BGR picture of two curves."""
  picture = np.full((128, 8 * len(real), 3), 255, np.uint8)
  span = max(np.ptp(real), 1e-6)
  for curve, colour in ((real, (0, 160, 0)), (found, (0, 0, 220))):
    y = 96 - 64 * (curve - real.min()) / span
    points = np.stack([8 * np.arange(len(y)), np.clip(y, 0, 127)], -1)
    cv2.polylines(picture, [points.astype(np.int32)], False, colour, 2)
  return picture


def _generate(
  config: ConfigDict, params: Params, windows: dict[str, np.ndarray]
) -> np.ndarray:
  """[N, T, M] motion for the windows."""
  generate = _generator(to_json(config))
  wanted = ('wave', 'motion', 'prefix', 'emotion', 'source_kp')
  size = config.get('eval', {}).get('batch_size', 8)
  results = []
  for i in range(0, len(windows['wave']), size):
    batch = {k: windows[k][i : i + size] for k in wanted}
    results.append(generate(params, batch))
  return np.concatenate(jax.device_get(results))


@functools.lru_cache(maxsize=1)
def _windows(config_json: str) -> dict[str, np.ndarray]:
  config = from_json(config_json)
  cfg = build(DiffusionConfig, config.diffusion)
  return motion_windows.eval_windows(config.data, cfg.window, cfg.prefix)


@functools.lru_cache(maxsize=1)
def _generator(config_json: str) -> Any:
  config = from_json(config_json)
  cfg = build(DiffusionConfig, config.diffusion)
  hubert = Hubert(build(HubertConfig, config.model.speech))
  denoiser = MotionDenoiser(build(DenoiserConfig, config.model.denoiser))

  @jax.jit
  def generate(params: Params, batch: dict[str, Any]) -> jax.Array:
    batch = normalize(params['stats'], batch)
    count, prefix = batch['prefix'].shape[:2]
    x = sample_motion(
      denoiser,
      params['denoiser'],
      hubert.apply({'params': params['speech']}, batch['wave']),
      {
        'emotion': batch['emotion'],
        'source_kp': batch['source_kp'],
        'prefix': batch['prefix'],
        'prefix_mask': jnp.zeros((count, prefix), bool),
      },
      jnp.zeros(count, bool),
      cfg,
      jax.random.key(0),
    )
    return normalization.unnormalize(params['stats'], x)

  return generate
