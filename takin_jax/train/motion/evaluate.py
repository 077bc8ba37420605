"""Stage 1 on people it was not trained on: figures and a picture grid."""

from collections.abc import Callable
import functools
import pathlib
from typing import Any

import cv2
import jax
import jax.numpy as jnp
from ml_collections import ConfigDict
import numpy as np

from takin_jax import renderer
from takin_jax.config import build
from takin_jax.data.batches import frame_pairs
from takin_jax.losses import perceptual
from takin_jax.ops.geometry import transform_keypoints
from takin_jax.train.motion.loss_config import MotionLossConfig
from takin_jax.train.state import Params
from takin_jax.types import Source

_BATCH = 8


class Reenactment:
  """Rebuilds frames of the `val` people from other frames of them.

  Args:
    config: of the run.
  """

  def __init__(self, config: ConfigDict):
    self._cfg = build(MotionLossConfig, config.get('loss'))
    self._pairs = frame_pairs.eval_pairs(
      config.data.records,
      split='val',
      size_px=config.model.image_size,
      landmarks=self._cfg.landmark_indices,
    )
    self._predict = _predictor(config.model, self._cfg.teacher_share >= 1.0)

  def evaluate(self, params: Params) -> dict[str, float]:
    """Self-reenactment and the extractor's own accuracy.

    Returns:
      PSNR, LPIPS (if its weights are installed) of the frame and of a 96 px
      mouth crop, within-clip correlation and slope (gain) of lip and lid
      openings against the landmarker, distance of guided keypoints to their
      landmarks, pose error in degrees, and how much a person's canonical
      keypoints differ between source and driving picture.
    """
    pairs, made = self._pairs, self._run(params)
    target = pairs['driving'].astype(np.float32) / 255
    mse = np.square(made['image'] - target).mean((1, 2, 3))
    out = {'psnr': float((-10 * np.log10(np.maximum(mse, 1e-8))).mean())}
    out |= _lpips(made['image'], target, pairs['driving_x'])
    return out | _extractor(pairs, made, list(self._cfg.landmark_keypoints))

  def draw(self, params: Params, path: pathlib.Path) -> None:
    """Writes a grid: source, driving, made frame, for every clip."""
    pairs, made = self._pairs, self._run(params)
    _, first = np.unique(pairs['clip'], return_index=True)
    rows = []
    for i in first + 1:
      image = np.asarray(renderer.to_uint8(made['image'][i]))
      rows.append(
        np.concatenate([pairs['source'][i], pairs['driving'][i], image], 1)
      )
    half = (len(rows) + 1) // 2
    rows += [np.zeros_like(rows[0])] * (2 * half - len(rows))
    columns = [np.concatenate(part) for part in (rows[:half], rows[half:])]
    grid = np.concatenate(columns, 1)
    cv2.imwrite(str(path), grid[..., ::-1])

  def _run(self, params: Params) -> dict[str, np.ndarray]:
    """What the model makes of the pairs."""
    pairs, results = self._pairs, []
    count = len(pairs['source'])
    for start in range(0, count, _BATCH):
      index = np.minimum(np.arange(start, start + _BATCH), count - 1)
      source, driving = (
        pairs[k][index].astype(np.float32) / 255 for k in ('source', 'driving')
      )
      points = pairs['source_x'][index], pairs['driving_x'][index]
      out = self._predict(params, source, driving, *points)
      results.append([np.asarray(v)[: count - start] for v in out])
    parts = map(np.concatenate, zip(*results, strict=True))
    return dict(zip(('image', 'x', 'pose', 'canonical'), parts, strict=True))


def _predictor(model: ConfigDict, teacher: bool) -> Callable[..., Any]:
  """Jitted: two pictures and the teacher's keypoints -> frame, keypoints."""

  @jax.jit
  def predict(params, source, driving, source_x, driving_x):
    encoded: Source = renderer.encode_source(model, params, source)
    kp, motion = renderer.extract_motion(model, params, driving)
    found = transform_keypoints(encoded.kp, motion)
    kp_source, kp_driving = renderer.source_keypoints(encoded), found
    if teacher:
      kp_source, kp_driving = source_x, driving_x
    frame = renderer.warp_and_generate(
      model, params, source, encoded.features, kp_source, kp_driving
    )
    spread = jnp.abs(encoded.kp - kp).mean((1, 2))
    return frame['image'], found, motion.pose_deg, spread

  return predict


def _lpips(
  image: np.ndarray, target: np.ndarray, x: np.ndarray
) -> dict[str, float]:
  try:
    weights = perceptual.load_weights('alexnet')
  except ValueError:
    return {}
  distance = jax.jit(functools.partial(perceptual.lpips, weights))
  mouths = tuple(_mouth(pictures, x) for pictures in (image, target))
  out = {}
  for name, (a, b) in (('lpips', (image, target)), ('lpips_mouth', mouths)):
    parts = [slice(i, i + _BATCH) for i in range(0, len(a), _BATCH)]
    values = [distance(jnp.asarray(a[p]), jnp.asarray(b[p])) for p in parts]
    out[name] = float(np.concatenate(values).mean())
  return out


def _mouth(image: np.ndarray, x: np.ndarray, side: int = 96) -> np.ndarray:
  """[B, side, side, 3] around the mouth's keypoints."""
  size = image.shape[1]
  side = min(side, size)
  centre = (x[:, :4, :2].mean(1) + 1) * size / 2
  corner = np.clip(centre - side / 2, 0, size - side).astype(int)
  crops = zip(image, corner, strict=True)
  return np.stack([p[b : b + side, a : a + side] for p, (a, b) in crops])


def _extractor(
  pairs: dict[str, np.ndarray],
  made: dict[str, np.ndarray],
  keypoints: list[int],
) -> dict[str, float]:
  x, found, clip = pairs['driving_x'], made['x'], pairs['clip']
  guided = found[:, keypoints, :2] - pairs['driving_landmarks'][:, 0]
  out = {
    'landmark': float(np.abs(guided).mean()),
    'pose_deg': float(np.abs(pairs['driving_pose'] - made['pose']).mean()),
    'canonical': float(made['canonical'].mean()),
  }
  for name, uppers, lowers in (
    ('lips', [4], [5]),
    ('lids', [6, 8], [7, 9]),
  ):
    want, got = (
      within_clip(clip, (v[:, lowers, 1] - v[:, uppers, 1]).mean(1))
      for v in (x, found)
    )
    out[f'{name}_r'] = float(np.corrcoef(want, got)[0, 1])
    out[f'{name}_gain'] = float(np.polyfit(want, got, 1)[0])
  return out


def within_clip(clip: np.ndarray, value: np.ndarray) -> np.ndarray:
  """Deviation from the clip's mean."""
  value = value.copy()
  for c in np.unique(clip):
    value[clip == c] -= value[clip == c].mean()
  return value
