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
from takin_jax.config import build, from_json, to_json
from takin_jax.data.batches import motion_clips, motion_windows
from takin_jax.data.records import motion_cache
from takin_jax.data.speech import recordings
from takin_jax.diffusion import normalization
from takin_jax.diffusion.schedule import DiffusionConfig
from takin_jax.errors import InputError
from takin_jax.train.audio.videos import write_videos

Params = dict[str, Any]

_CURVES = 6
_MAX_LAG = 5  # frames
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


def fit(found: np.ndarray, wanted: np.ndarray, mask: np.ndarray) -> np.ndarray:
  """How well curves follow others, each on its own.

  Args:
    found: [N, T].
    wanted: [N, T].
    mask: [N, T] bool, where both are known.

  Returns:
    [N, 3]: correlation, slope, and correlation at the constant lag of at most
    `_MAX_LAG` frames that suits the curve best, for sound is often early or
    late by a frame or two; NaN where nothing moves.
  """
  results = np.full((len(found), 3), np.nan)
  for i, (x, y, seen) in enumerate(zip(found, wanted, mask, strict=True)):
    x, y = x[seen], y[seen]
    if len(y) > 2 * _MAX_LAG and y.std() > 0:
      deviation = y - y.mean()
      slope = ((x - x.mean()) * deviation).sum() / np.square(deviation).sum()
      lags = range(-_MAX_LAG, _MAX_LAG + 1)
      best = max(_correlation(x, y, lag) for lag in lags)
      results[i] = _correlation(x, y, 0), slope, best
  return results


def _correlation(x: np.ndarray, y: np.ndarray, lag: int) -> float:
  """Of curves where x comes `lag` frames after y."""
  x = x[max(lag, 0) : len(x) + min(lag, 0)]
  y = y[max(-lag, 0) : len(y) - max(lag, 0)]
  x, y = x - x.mean(), y - y.mean()
  power = np.square(x).sum() * np.square(y).sum()
  return float((x * y).sum() / np.sqrt(max(power, 1e-20)))


def evaluate(
  config: ConfigDict, params: Params, step: int, workdir: pathlib.Path
) -> dict[str, float]:
  """Lips and head of generated motion against the real ones.

  People count alike, however long they speak; `lips_r/PERSON` is of one alone.

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
  lips, other = (
    _by_person(fit(lip_gap(x), lip_gap(real), mask), windows['person'])
    for x in (found, wrong)
  )
  r, gain, r_best_lag = np.mean(list(lips.values()), 0)
  known = windows['head_mask'].all(1)  # windows that know the head's rest

  def spread(curves: np.ndarray, some: np.ndarray) -> float:
    return float(np.std(curves[some], 1, where=mask[some]).mean())

  def ratio(curve: Callable[[np.ndarray], np.ndarray], some: Any) -> float:
    return spread(curve(found), some) / spread(curve(real), some)

  heads = {
    f'{name}_spread': ratio(lambda x, k=k: x[..., k], known)
    for name, k in (('yaw', face.YAW), ('pitch', face.PITCH))
    if known.any()
  }
  seen = mask & windows['follows']
  return {
    'lips_r': r,
    'lips_gain': gain,
    'lips_r_best_lag': r_best_lag,
    'lips_r_other_sound': np.mean(list(other.values()), 0)[0],
    'lips_spread': ratio(lip_gap, np.full(len(mask), True)),
    **heads,
    'jerk': _jerk(found, seen) / _jerk(real, seen),
    **{f'lips_r/{person}': value[0] for person, value in lips.items()},
  }


def _by_person(values: np.ndarray, people: np.ndarray) -> dict[str, np.ndarray]:
  """Means of the [N, F] values of every person that has some."""
  kept = ~np.isnan(values).any(1)
  return {
    str(person): values[kept & (people == person)].mean(0)
    for person in np.unique(people[kept])
  } or {'nobody': np.zeros(values.shape[1])}


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

  @jax.jit
  def hear(params: Params, wave: np.ndarray) -> jax.Array:
    return audio_to_motion.encode_speech(config.model, params, wave)[:, 0]

  heard = np.asarray(hear(params, wave[None]))
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


def _jerk(motion: np.ndarray, seen: np.ndarray) -> float:
  """Mean size of the expression's third difference, where [N, T] is seen."""
  change = np.abs(np.diff(motion[..., face.EXP], 3, axis=1)).mean(-1)
  whole = np.stack([seen[:, i : i + change.shape[1]] for i in range(4)]).all(0)
  return float(change[whole].mean()) if whole.any() else 0.0


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
  wanted = ('wave', 'motion', 'emotion', 'source_kp')
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

  @jax.jit
  def generate(params: Params, batch: dict[str, Any]) -> jax.Array:
    count = len(batch['emotion'])
    motion_dim = batch['motion'].shape[-1]
    context = audio_to_motion.Context(
      source_kp=batch['source_kp'].reshape(count, -1, 3),
      emotion=batch['emotion'],
      has_emotion=jnp.ones(count, bool),
      prefix=jnp.zeros((count, cfg.prefix, motion_dim)),
      prefix_mask=jnp.zeros((count, cfg.prefix), bool),
    )
    states = audio_to_motion.encode_speech(config.model, params, batch['wave'])
    key = jax.random.key(0)
    x = audio_to_motion.generate(config, params, states, context, key)
    return audio_to_motion.to_motion(params, x)

  return generate
