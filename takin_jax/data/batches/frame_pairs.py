"""Pairs of frames of one clip, for stage 1.

In: records of `takin_jax.data.prepare`. Out: batches of numpy arrays: two
pictures, for both the teacher's geometry (from landmarks and pose matrix), and
if wanted more pictures of the person from any clip. A pair is a pure function
of (seed, index), so a position is one number.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import os
from typing import Any

import cv2
import numpy as np

from takin_jax import face
from takin_jax.config import build
from takin_jax.data import records
from takin_jax.data.batches import endless
from takin_jax.data.records.clip_geometry import load_geometry

EVAL_FRACTIONS = (0.30, 0.50, 0.70, 0.95)


@dataclasses.dataclass(frozen=True)
class PairConfig:
  """The config block `data` of stage 1.

  Attributes:
    records: folder of records.
    batch_size: pairs per batch over all devices.
    split: 'train' or 'val'.
    clip_power: a clip is drawn with probability ~ frames ** clip_power.
    hard: share of pairs that are chosen to differ in mouth or lids.
    candidates: driving frames among which such a pair is chosen.
    others: more pictures of the person, from the same or other clips.
    flip: share of mirrored pairs.
    jitter: strength of the colour jitter, e.g. 0.1; 0: none.
    threads: that decode.
    prefetch: pairs that are made ahead.
    size_px: side of the pictures; records of another size are resized.
    crop: facts about the records' crop, for the weights folder.
  """

  records: str
  batch_size: int = 8
  split: str = 'train'
  clip_power: float = 0.5
  hard: float = 0.5
  candidates: int = 6
  others: int = 0
  flip: float = 0.5
  jitter: float = 0.0
  threads: int = 2
  prefetch: int = 32
  size_px: int = 256
  crop: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class _Pairs:
  """Clips of one split: makes a sample of two frames of a clip."""

  def __init__(
    self,
    folder: str | os.PathLike[str],
    split: str,
    size_px: int,
    landmarks: Sequence[int] = (),
  ):
    clips = load_geometry(folder, landmarks)
    paths = records.clip_paths(folder)
    lengths = [len(c.frames['x']) for c in clips]
    keep = [
      i
      for i, clip in enumerate(clips)
      if clip.meta.get('split', 'train') == split and len(clip.found) > 1
    ]
    if not keep:
      raise records.EmptySplitError(folder, split)
    self.clips = [clips[i] for i in keep]
    self.image = records.Frames(
      [paths[i] for i in keep], [lengths[i] for i in keep], size_px
    )

  def sample(self, clip: int, source: int, driving: int) -> dict[str, Any]:
    """Both pictures and their geometry."""
    geo = self.clips[clip]
    sample = {'source_kp': geo.kp}
    for name, frame in (('source', source), ('driving', driving)):
      sample[name] = self.image(clip, frame)
      for key, values in geo.frames.items():
        sample[f'{name}_{key}'] = values[frame]
    return sample


class PairSource(endless.Samples):
  """Endless random pairs; the one with a given index is always the same.

  Args:
    cfg: where from and how.
    seed: of everything random.
    landmarks: numbers of the landmarks that samples carry.
  """

  def __init__(self, cfg: PairConfig, seed: int, landmarks: Sequence[int] = ()):
    super().__init__(self._draw_pair, seed)
    self._cfg = cfg
    self._pairs = _Pairs(cfg.records, cfg.split, cfg.size_px, landmarks)
    clips = self._pairs.clips
    persons = np.array([clip.person for clip in clips])
    self._same = [np.flatnonzero(persons == person) for person in persons]
    weight = np.array([len(c.found) for c in clips], float) ** cfg.clip_power
    self._odds = weight / weight.sum()
    # Openings in units of their usual change within a clip.
    gaps = [
      np.concatenate([c.frames['lips'], c.frames['lids']], -1) for c in clips
    ]
    spread = [g[c.found].std(0) for g, c in zip(gaps, clips, strict=True)]
    unit = np.maximum(np.mean(spread, 0), 1e-6)
    self._gaps = [g / unit for g in gaps]

  def _draw_pair(self, rng: np.random.Generator) -> dict[str, Any]:
    cfg = self._cfg
    clip = int(rng.choice(len(self._odds), p=self._odds))
    found = self._pairs.clips[clip].found
    source, *candidates = rng.choice(found, 1 + cfg.candidates)
    driving = candidates[0]
    if rng.random() < cfg.hard:
      gaps = self._gaps[clip]
      change = np.abs(gaps[candidates] - gaps[source]).max(-1)
      driving = candidates[int(change.argmax())]
    sample = self._pairs.sample(clip, int(source), int(driving))
    if cfg.others:
      sample['others'] = self._draw_others(rng, clip)
    if rng.random() < cfg.flip:
      sample = flip(sample)
    if cfg.jitter:
      sample |= jitter(sample, rng, cfg.jitter)
    return sample

  def _draw_others(self, rng: np.random.Generator, clip: int) -> np.ndarray:
    """More pictures of the person that a clip shows, from any clip."""
    images = []
    for chosen in rng.choice(self._same[clip], self._cfg.others):
      frame = rng.choice(self._pairs.clips[chosen].found)
      images.append(self._pairs.image(int(chosen), int(frame)))
    return np.stack(images)


def flip(sample: Mapping[str, Any]) -> dict[str, Any]:
  """Mirrors a pair: pictures, keypoints and motion."""

  def mirrored(key: str, value: np.ndarray) -> np.ndarray:
    if key in ('source', 'driving', 'others'):
      return np.ascontiguousarray(value[..., ::-1, :])
    if key.endswith('_landmarks'):
      return value[::-1] * face.MIRROR_XYZ[:2]
    if key.endswith(('_x', '_exp', '_kp')):
      return face.mirror_points(value)
    if key.endswith('_t'):
      return value * face.MIRROR_XYZ
    if key.endswith('_pose'):
      return value * face.MIRROR_POSE_DEG
    return value

  return {key: mirrored(key, value) for key, value in sample.items()}


def jitter(
  sample: Mapping[str, Any], rng: np.random.Generator, strength: float
) -> dict[str, np.ndarray]:
  """Changes brightness, contrast, saturation and tint of both pictures alike.

  Returns:
    New `source` and `driving`.
  """
  contrast, saturation = 1 + strength * rng.uniform(-1, 1, 2)
  brightness = 255 * strength * rng.uniform(-1, 1) / 2
  tint = 1 + strength * rng.uniform(-1, 1, 3) / 4
  grey = np.tile([0.299, 0.587, 0.114], (3, 1))
  colour = saturation * np.eye(3) + (1 - saturation) * grey
  matrix = contrast * tint[:, None] * colour
  offset = np.full((3, 1), 128 * (1 - contrast) + brightness)
  affine = np.concatenate([matrix, offset], 1)
  return {k: cv2.transform(sample[k], affine) for k in ('source', 'driving')}


def batches(
  data: Mapping[str, Any],
  seed: int,
  shard: tuple[int, int] = (0, 1),
  landmarks: Sequence[int] = (),
) -> endless.Batches:
  """Batches of random pairs.

  Args:
    data: the config block `data`, see `PairConfig`.
    seed: of everything random.
    shard: (number, count) of this process among those that train.
    landmarks: numbers of the landmarks that samples carry.

  Returns:
    An iterator over dicts of arrays with a leading batch axis: `source` and
    `driving` uint8 [B, H, W, 3], `source_kp` [B, 21, 3], if wanted `others`
    uint8 [B, G, H, W, 3], and for both pictures what `ClipGeometry.frames`
    names, as `source_x`, `driving_x`, ...
  """
  cfg = build(PairConfig, data)
  source = PairSource(cfg, seed, landmarks)
  return endless.batches(
    source, cfg.batch_size, shard, cfg.threads, cfg.prefetch
  )


def eval_pairs(
  folder: str | os.PathLike[str],
  split: str = 'val',
  fractions: Sequence[float] = EVAL_FRACTIONS,
  size_px: int = 256,
  landmarks: Sequence[int] = (),
) -> dict[str, np.ndarray]:
  """The pairs that figures are reported on: always the same.

  Args:
    folder: of records.
    split: whose clips.
    fractions: where in a clip the driving frames lie; the source is its
      first frame.
    size_px: side of the pictures.
    landmarks: numbers of the landmarks that samples carry.

  Returns:
    The arrays of a batch for all pairs, and `clip` [N], the clip's number.
  """
  pairs = _Pairs(folder, split, size_px, landmarks)
  samples = []
  for i, clip in enumerate(pairs.clips):
    for fraction in fractions:
      driving = clip.found[int(fraction * len(clip.found))]
      sample = pairs.sample(i, int(clip.found[0]), int(driving))
      samples.append(sample | {'clip': np.int32(i)})
  return {k: np.stack([s[k] for s in samples]) for k in samples[0]}
