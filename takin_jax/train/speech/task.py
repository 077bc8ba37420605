"""The speech encoder, trained to predict a larger one's features.

The student is a small HuBERT; a linear head on its last state, which is
thrown away after training, predicts the teacher's features of clean sound
from changed sound. Source: DistilHuBERT (arXiv 2110.01900), with one head.
"""

import dataclasses
import functools
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict
import numpy as np

from takin_jax.config import build, from_json, to_json
from takin_jax.data.batches import specs as batch_specs
from takin_jax.data.speech import batches as speech_batches
from takin_jax.losses.distill import distill_loss
from takin_jax.models.hubert import Hubert, HubertConfig

Params = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class SpeechLossConfig:
  """The config block `loss` of the speech stage.

  Attributes:
    features: width of the teacher's features.
    cosine: weight of the cosine term beside the mean absolute error.
  """

  features: int = 288
  cosine: float = 1.0


def init(config: ConfigDict, key: jax.Array) -> Params:
  """Groups `speech` (the encoder) and `speech_head` (only for training)."""
  student = Hubert(build(HubertConfig, config.model.speech))
  features = build(SpeechLossConfig, config.loss).features
  keys = jax.random.split(key)
  kernel = jax.nn.initializers.lecun_normal()
  return {
    'speech': student.init(keys[0], jnp.zeros((1, 16_000)))['params'],
    'speech_head': {
      'kernel': kernel(keys[1], (student.cfg.dim, features)),
      'bias': jnp.zeros(features),
    },
  }


def predict(
  config: ConfigDict,
  params: Params,
  batch: dict[str, Any],
  key: jax.Array | None = None,
) -> jax.Array:
  """[B, T, F] teacher features as the student hears them.

  Args:
    config: of this run.
    params: its parameters.
    batch: `wave` [B, S] and `sample_mask` [B, S].
    key: for dropout; None: no dropout.
  """
  dtype = jnp.dtype(config.model.get('dtype', 'float32'))
  student = Hubert(build(HubertConfig, config.model.speech), dtype)
  states = student.apply(
    {'params': params['speech']},
    batch['wave'],
    batch['sample_mask'],
    train=key is not None,
    rngs=None if key is None else {'dropout': key},
  )
  head = params['speech_head']
  return states[-1] @ head['kernel'] + head['bias']


def loss_fn(config: ConfigDict) -> Any:
  """Makes `f(params, batch, key, train) -> (loss, metrics)`."""
  cfg = build(SpeechLossConfig, config.loss)

  def loss(
    params: Params, batch: dict[str, Any], key: jax.Array, train: bool
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    predicted = predict(config, params, batch, key if train else None)
    wanted, mask = batch['features'], batch['mask']
    return distill_loss(predicted, wanted, mask, cfg.cosine)

  return loss


def batches(config: ConfigDict) -> Any:
  """Windows of changed sound with features of the clean one."""
  shard = (jax.process_index(), jax.process_count())
  return iter(speech_batches.batches(config.data, config.seed, shard))


def batch_spec(config: ConfigDict) -> batch_specs.Spec:
  """Shapes of these batches, without records."""
  features = build(SpeechLossConfig, config.loss).features
  return batch_specs.speech_windows(config.data, features)


def evaluate(
  config: ConfigDict, params: Params, step: int, workdir: pathlib.Path
) -> dict[str, float]:
  """Error, cosine and explained variance on speech of other people."""
  del step, workdir
  if not config.data.get('eval_records'):
    return {}
  metrics, batch = _evaluator(to_json(config))
  return jax.device_get(metrics(params, batch))


@functools.lru_cache(maxsize=1)
def _evaluator(config_json: str) -> tuple[Any, dict[str, np.ndarray]]:
  config = from_json(config_json)
  count = config.get('eval', {}).get('windows', 32)

  @jax.jit
  def metrics(params: Params, batch: dict[str, Any]) -> dict[str, jax.Array]:
    predicted = predict(config, params, batch)
    wanted, mask = batch['features'], batch['mask']
    _, parts = distill_loss(predicted, wanted, mask)
    where = mask[..., None]
    error = jnp.square(predicted - wanted).mean(where=where)
    total = jnp.square(wanted - wanted.mean((0, 1), where=where))
    explained = 1 - error / total.mean(where=where)
    return {**parts, 'explained_variance': explained}

  return metrics, speech_batches.eval_windows(config.data, count)
