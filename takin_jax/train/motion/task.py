"""Stage 1: motion extractor and renderer, by rebuilding one frame of a clip
from another.

The landmarker's geometry, stored with every record, guides the keypoints
(landmark loss, head pose, expression) and can also stand in for the motion
extractor while the renderer is young (`teacher_share`), so that neither waits
for the other. A loss of weight 0 is not computed.
"""

from collections.abc import Mapping
import functools
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from takin_jax import renderer, rng
from takin_jax.config import build
from takin_jax.data.batches import frame_pairs
from takin_jax.data.batches import specs as batch_specs
from takin_jax.data.records import EmptySplitError
from takin_jax.losses import perceptual
from takin_jax.ops import augment
from takin_jax.ops.resize import avg_pool
from takin_jax.train.motion.adversarial_terms import (
  add_discriminator,
  adversarial_terms,
)
from takin_jax.train.motion.evaluate import Reenactment
from takin_jax.train.motion.keypoint_terms import keypoint_terms
from takin_jax.train.motion.loss_config import MotionLossConfig
from takin_jax.train.motion.mouth_terms import mouth_terms
from takin_jax.train.motion.picture_terms import picture_terms
from takin_jax.train.state import Params
from takin_jax.train.task import (
  Batch,
  Batches,
  LossOutput,
  Metrics,
  Task,
  nothing_evaluated,
)

Pair = tuple[jax.Array, jax.Array]  # of the source and the driving picture


class MotionTask(Task):
  """Trains the four modules, and the discriminator if its loss is used."""

  def __init__(self, config: ConfigDict):
    super().__init__(config)
    self._cfg = build(MotionLossConfig, config.get('loss'))
    self._model = config.model

  def init(self, key: jax.Array) -> Params:
    params = renderer.init(self._model, rng.fold_in_str(key, 'renderer'))
    if self._cfg.judges:
      key = rng.fold_in_str(key, 'discriminator')
      params = add_discriminator(self._model, params, key)
    return params

  def batches(self) -> Batches:
    """Pairs of frames of one clip with the landmarker's geometry."""
    data, landmarks = self._wanted()
    shard = (jax.process_index(), jax.process_count())
    return iter(frame_pairs.batches(data, self.config.seed, shard, landmarks))

  def batch_spec(self) -> batch_specs.Spec:
    data, landmarks = self._wanted()
    return batch_specs.pairs(data, len(landmarks))

  def _wanted(self) -> tuple[Mapping[str, Any], tuple[int, ...]]:
    """Data block and landmarks, without what a loss of weight 0 looks at."""
    cfg, data = self._cfg, self.config.data
    if not cfg.canonical:
      data = {**data, 'others': 0}
    return data, cfg.landmark_indices if cfg.landmark else ()

  def check(self) -> list[str]:
    """Opens the perceptual networks and the pictures of held-out people."""
    self.constants()
    if self._reenactment is None:
      return [nothing_evaluated(self.config.data.records)]
    return []

  def constants(self) -> dict[str, Any]:
    return self._perceptual

  @functools.cached_property
  def _perceptual(self) -> dict[str, Any]:
    """Weights of the perceptual networks that this config uses."""
    cfg = self._cfg
    used = {
      'vgg16': cfg.perceptual or cfg.pyramid,
      'alexnet': cfg.lpips or cfg.lips_lpips or cfg.lips_close_up,
    }
    return {k: perceptual.load_weights(k) for k, x in used.items() if x}

  def loss(
    self,
    params: Params,
    batch: Batch,
    key: jax.Array,
    constants: dict[str, Any],
    *,
    train: bool = True,
  ) -> LossOutput:
    cfg = self._cfg
    pictures = self._pictures(batch, key)
    points = batch['source_x'], batch['driving_x']
    terms, stats = {}, {}
    if cfg.extracts:
      terms, own = keypoint_terms(
        cfg,
        self._model,
        params,
        batch,
        pictures,
        self._others(batch, rng.fold_in_str(key, 'other_colors')),
        rng.fold_in_str(key, 'extractor'),
      )
      points = self._taught(points, own, rng.fold_in_str(key, 'teacher'))
    if cfg.renders:
      more, stats = self._picture_terms(
        params, batch, pictures, points, key, constants, train
      )
      terms |= more
    return LossOutput(sum(terms.values()), terms, stats or None)

  def _pictures(self, batch: Batch, key: jax.Array) -> Pair:
    """Both float32 in [0, 1], in changed colours; small if none is made."""
    pair = [renderer.to_float(batch[name]) for name in ('source', 'driving')]
    if not self._cfg.renders:
      factor = pair[0].shape[1] // self._model.motion.input_size
      pair = [avg_pool(image, factor) for image in pair]
    colors = augment.random_colors(
      rng.fold_in_str(key, 'colors'), len(pair[0]), self._cfg.colors
    )
    pair = tuple(augment.apply_colors(image, *colors) for image in pair)
    if self._cfg.renders and self._cfg.surroundings:
      pair = augment.random_backgrounds(
        rng.fold_in_str(key, 'backgrounds'),
        pair,
        (batch['source_x'], batch['driving_x']),
        self._cfg.surroundings,
      )
    return pair

  def _others(self, batch: Batch, key: jax.Array) -> jax.Array | None:
    """[B, G, H, W, 3] more pictures, each in other colours; None without."""
    if 'others' not in batch:
      return None
    image = renderer.to_float(batch['others'])
    flat = image.reshape(-1, *image.shape[2:])
    colors = augment.random_colors(key, len(flat), self._cfg.colors)
    return augment.apply_colors(flat, *colors).reshape(image.shape)

  def _taught(self, teacher: Pair, own: Pair, key: jax.Array) -> Pair:
    """The landmarker's keypoints for a share of the pairs, else our own."""
    shape = (len(own[0]), 1, 1)
    taught = jax.random.bernoulli(key, self._cfg.teacher_share, shape)
    pairs = zip(teacher, own, strict=True)
    return tuple(jnp.where(taught, *both) for both in pairs)

  def _picture_terms(
    self,
    params: Params,
    batch: Batch,
    pictures: Pair,
    points: Pair,
    key: jax.Array,
    constants: dict[str, Any],
    train: bool,
  ) -> tuple[Metrics, Params]:
    """Makes the driving picture; terms of it, new statistics by module."""
    cfg, model, (source, driving) = self._cfg, self._model, pictures
    features, stats = renderer.extract_features(model, params, source, train)
    frame = renderer.warp_and_generate(
      model, params, source, features, *points, train
    )
    key_crops = rng.fold_in_str(key, 'crops')
    terms = picture_terms(
      cfg, model, params, batch, frame, pictures, constants, key_crops
    )
    if cfg.paints_lips:
      key_lips = rng.fold_in_str(key, 'lips')
      terms |= mouth_terms(cfg, batch, frame, driving, constants, key_lips)
    stats |= frame.get(renderer.STATS, {})
    if cfg.judges:
      pair, x = (frame['image'], driving), batch['driving_x']
      key_judge = rng.fold_in_str(key, 'discriminator')
      judged, new = adversarial_terms(
        cfg, model, params, pair, x, key_judge, train
      )
      terms, stats = terms | judged, stats | new
    return terms, stats

  @functools.cached_property
  def _reenactment(self) -> Reenactment | None:
    """None if nobody is held out."""
    try:
      return Reenactment(self.config)
    except EmptySplitError:
      return None

  def evaluate(self, params: Params) -> dict[str, float]:
    if self._reenactment is None:
      return {}
    return self._reenactment.evaluate(params)

  def samples(self, params: Params, path: pathlib.Path) -> None:
    if self._reenactment is not None:
      self._reenactment.draw(params, path.with_suffix('.png'))
