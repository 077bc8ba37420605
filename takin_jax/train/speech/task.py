"""The speech encoder, trained to predict a larger one's features.

The student is a small HuBERT; a linear head on its last state, which is
thrown away after training, predicts the teacher's features of clean sound
from changed sound. Source: DistilHuBERT (arXiv 2110.01900), with one head.
"""

from collections.abc import Callable
import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict
import numpy as np

from takin_jax import audio_to_motion, rng
from takin_jax.config import build
from takin_jax.data.batches import specs as batch_specs
from takin_jax.data.speech import batches as speech_batches
from takin_jax.losses.distill import distill_loss
from takin_jax.models.hubert import HubertConfig
from takin_jax.train.state import Params
from takin_jax.train.task import Batch, Batches, LossOutput, Task


@dataclasses.dataclass(frozen=True)
class SpeechLossConfig:
  """The config block `loss` of the speech stage.

  Attributes:
    features: width of the teacher's features.
    cosine: weight of the cosine term beside the mean absolute error.
  """

  features: int = 288
  cosine: float = 1.0


class SpeechTask(Task):
  """Distillation into the groups `speech` and `speech_head`.

  The first is the encoder, the second is for training only.
  """

  def __init__(self, config: ConfigDict):
    super().__init__(config)
    self._cfg = build(SpeechLossConfig, config.get('loss'))
    self._dim = build(HubertConfig, config.model.speech).dim

  def init(self, key: jax.Array) -> Params:
    kernel = jax.nn.initializers.lecun_normal()
    shape = (self._dim, self._cfg.features)
    key_speech = rng.fold_in_str(key, 'speech')
    return {
      **audio_to_motion.init_speech(self.config.model, key_speech),
      'speech_head': {
        'kernel': kernel(rng.fold_in_str(key, 'speech_head'), shape),
        'bias': jnp.zeros(self._cfg.features),
      },
    }

  def predict(
    self, params: Params, batch: Batch, key: jax.Array | None = None
  ) -> jax.Array:
    """[B, T, F] teacher features as the student hears them.

    Args:
      params: of this task.
      batch: `wave` [B, S] and `sample_mask` [B, S].
      key: for dropout; None: no dropout.
    """
    states = audio_to_motion.encode_speech(
      self.config.model, params, batch['wave'], batch['sample_mask'], key
    )
    head = params['speech_head']
    return states[-1] @ head['kernel'] + head['bias']

  def loss(
    self,
    params: Params,
    batch: Batch,
    key: jax.Array,
    constants: Any,
    *,
    train: bool = True,
  ) -> LossOutput:
    del constants
    key = rng.fold_in_str(key, 'dropout') if train else None
    predicted = self.predict(params, batch, key)
    wanted, mask = batch['features'], batch['mask']
    return LossOutput(*distill_loss(predicted, wanted, mask, self._cfg.cosine))

  def batches(self) -> Batches:
    shard = (jax.process_index(), jax.process_count())
    data, seed = self.config.data, self.config.seed
    return iter(speech_batches.batches(data, seed, shard))

  def check(self) -> list[str]:
    """Opens the records of other people."""
    if not self.config.data.get('eval_records'):
      return ['Nothing will be evaluated, as data.eval_records is empty.']
    _ = self._eval_batch
    return []

  def batch_spec(self) -> batch_specs.Spec:
    return batch_specs.speech_windows(self.config.data, self._cfg.features)

  def evaluate(self, params: Params) -> dict[str, float]:
    """Error, cosine and explained variance on speech of other people."""
    if not self.config.data.get('eval_records'):
      return {}
    return jax.device_get(self._measure(params, self._eval_batch))

  @functools.cached_property
  def _eval_batch(self) -> dict[str, np.ndarray]:
    count = self.config.get('eval', {}).get('windows', 32)
    return speech_batches.eval_windows(self.config.data, count)

  @functools.cached_property
  def _measure(self) -> Callable[[Params, Batch], dict[str, jax.Array]]:
    """Jitted: the figures of `evaluate`."""

    @jax.jit
    def measure(params: Params, batch: Batch) -> dict[str, jax.Array]:
      predicted = self.predict(params, batch)
      wanted, mask = batch['features'], batch['mask']
      _, parts = distill_loss(predicted, wanted, mask)
      where = mask[..., None]
      error = jnp.square(predicted - wanted).mean(where=where)
      total = jnp.square(wanted - wanted.mean((0, 1), where=where))
      explained = 1 - error / total.mean(where=where)
      return {**parts, 'explained_variance': explained}

    return measure
