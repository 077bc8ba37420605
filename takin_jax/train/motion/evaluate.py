"""Stage 1 on people it was not trained on: figures and a picture grid."""

import functools
import pathlib
from typing import Any

import cv2
import jax
import jax.numpy as jnp
from ml_collections import ConfigDict
import numpy as np

from takin_jax import renderer
from takin_jax.config import build, from_json, to_json
from takin_jax.data.batches import frame_pairs
from takin_jax.losses import perceptual
from takin_jax.ops.geometry import transform_keypoints
from takin_jax.train.motion.loss_config import MotionLossConfig
from takin_jax.types import Source

Params = dict[str, Any]
_BATCH = 8


@functools.lru_cache
def _pairs(
  records: str, size_px: int, landmarks: tuple[int, ...]
) -> dict[str, np.ndarray]:
  return frame_pairs.eval_pairs(
    records, split='val', size_px=size_px, landmarks=landmarks
  )


@functools.lru_cache
def _predict(model_json: str, teacher: bool):
  """Jitted: two pictures and the teacher's keypoints -> frame, keypoints."""
  model = from_json(model_json)

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


def _run(
  config: ConfigDict, params: Params, teacher: bool
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
  """The validation pairs and what the model makes of them."""
  cfg = build(MotionLossConfig, config.loss)
  pairs = _pairs(
    config.data.records, config.model.image_size, cfg.landmark_indices
  )
  predict = _predict(to_json(config.model), teacher)
  results = []
  count = len(pairs['source'])
  for start in range(0, count, _BATCH):
    index = np.minimum(np.arange(start, start + _BATCH), count - 1)
    source, driving = (
      pairs[k][index].astype(np.float32) / 255 for k in ('source', 'driving')
    )
    out = predict(
      params,
      source,
      driving,
      pairs['source_x'][index],
      pairs['driving_x'][index],
    )
    results.append([np.asarray(v)[: count - start] for v in out])
  parts = map(np.concatenate, zip(*results, strict=True))
  made = dict(zip(('image', 'x', 'pose', 'canonical'), parts, strict=True))
  return pairs, made


def evaluate(
  config: ConfigDict, params: Params, step: int, workdir: pathlib.Path
) -> dict[str, float]:
  """Self-reenactment of the `val` people and the extractor's own accuracy.

  Returns:
    PSNR, LPIPS (if its weights are installed) of the frame and of a 96 px
    mouth crop, within-clip correlation and slope (gain) of lip and lid
    openings against the landmarker, distance of guided keypoints to their
    landmarks, pose error in degrees, and how much a person's canonical
    keypoints differ between source and driving picture.
  """
  del step, workdir
  teacher = config.loss.get('teacher_share', 0.0) >= 1.0
  pairs, made = _run(config, params, teacher)
  target = pairs['driving'].astype(np.float32) / 255
  mse = np.square(made['image'] - target).mean((1, 2, 3))
  out = {'psnr': float((-10 * np.log10(np.maximum(mse, 1e-8))).mean())}
  out |= _lpips(made['image'], target, pairs['driving_x'])
  keypoints = list(build(MotionLossConfig, config.loss).landmark_keypoints)
  out |= _extractor(pairs, made, keypoints)
  return out


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


def samples(
  config: ConfigDict, params: Params, step: int, folder: pathlib.Path
) -> None:
  """Writes a grid: source, driving, made frame, for every validation clip."""
  teacher = config.loss.get('teacher_share', 0.0) >= 1.0
  pairs, made = _run(config, params, teacher)
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
  cv2.imwrite(str(folder / f'{step:07d}.png'), grid[..., ::-1])
