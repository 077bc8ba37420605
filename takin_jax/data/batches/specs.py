"""Shapes of training batches, without any records.

In: the config block `data` of a stage. Out: `(shape, dtype)` of every array of
a batch over all processes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from takin_jax import face
from takin_jax.config import build
from takin_jax.data.batches.frame_pairs import PairConfig
from takin_jax.data.batches.motion_windows import WindowConfig
from takin_jax.data.speech import recordings
from takin_jax.data.speech.batches import SpeechConfig

Spec = dict[str, tuple[tuple[int, ...], np.dtype]]

_FLOAT, _BYTE, _BOOL = (np.dtype(t) for t in (np.float32, np.uint8, bool))
# What the teacher knows about a picture, see clip_geometry.
_GEOMETRY = {
  'x': (face.NUM_KEYPOINTS, 3),
  'exp': (face.NUM_KEYPOINTS, 3),
  'scale': (1,),
  't': (3,),
  'pose': (3,),
  'lids': (1,),
  'lips': (1,),
}


def pairs(data: Mapping[str, Any], landmarks: int = 0) -> Spec:
  """Of `takin_jax.data.batches.frame_pairs`, with that many landmarks."""
  cfg = build(PairConfig, data)
  side, geometry = cfg.size_px, dict(_GEOMETRY)
  if landmarks:
    geometry['landmarks'] = (2, landmarks, 2)
  out = {'source_kp': ((face.NUM_KEYPOINTS, 3), _FLOAT)}
  for name in ('source', 'driving'):
    out[name] = ((side, side, 3), _BYTE)
    out |= {f'{name}_{k}': (s, _FLOAT) for k, s in geometry.items()}
  if cfg.others:
    out['others'] = ((cfg.others, side, side, 3), _BYTE)
  return _batched(out, cfg.batch_size)


def windows(data: Mapping[str, Any], window: int, prefix: int) -> Spec:
  """Of `takin_jax.data.batches.motion_windows.batches`."""
  out = {
    'wave': ((recordings.sample_count(2 * window),), _FLOAT),
    'motion': ((window, face.MOTION_DIM), _FLOAT),
    'frame_mask': ((window,), _BOOL),
    'head_mask': ((window,), _BOOL),
    'follows': ((window,), _BOOL),
    'prefix': ((prefix, face.MOTION_DIM), _FLOAT),
    'prefix_mask': ((prefix,), _BOOL),
    'emotion': ((face.EXP_DIM,), _FLOAT),
    'source_kp': ((face.EXP_DIM,), _FLOAT),
    'drop_audio': ((), _BOOL),
  }
  return _batched(out, build(WindowConfig, data).batch_size)


def speech_windows(data: Mapping[str, Any], features: int) -> Spec:
  """Of `takin_jax.data.speech.batches.batches` with that wide features."""
  cfg = build(SpeechConfig, data)
  samples = recordings.sample_count(cfg.frames)
  out = {
    'wave': ((samples,), _FLOAT),
    'sample_mask': ((samples,), _BOOL),
    'features': ((cfg.frames, features), _FLOAT),
    'mask': ((cfg.frames,), _BOOL),
  }
  return _batched(out, cfg.batch_size)


def _batched(spec: Spec, size: int) -> Spec:
  return {k: ((size, *shape), dtype) for k, (shape, dtype) in spec.items()}
