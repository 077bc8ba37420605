"""Stage 2: speech to motion by diffusion.

The speech encoder (group `speech`, usually frozen and taken from its own run)
hears the window, or has heard it before (`data.cache`); the denoiser learns the
noise in the motion that goes with it, or in what a linear map of the speech
(`model.articulation`, fitted before) leaves of it. Statistics of the motion
and named emotions are facts of the records, kept with the parameters (groups
`stats` and `emotions`).
Source: Takin-ADA (arXiv 2410.14283), eq. 3 and section 3.2.
"""

import functools
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict
import numpy as np

from takin_jax import audio_to_motion, face, rng
from takin_jax.config import build
from takin_jax.data.batches import motion_clips, motion_windows
from takin_jax.data.batches import specs as batch_specs
from takin_jax.data.records import EmptySplitError, motion_cache
from takin_jax.diffusion import normalization, schedule
from takin_jax.diffusion.schedule import DiffusionConfig
from takin_jax.errors import InputError
from takin_jax.losses.denoise import Seen, denoise_loss
from takin_jax.models.denoiser import Conditions
from takin_jax.models.hubert import HubertConfig
from takin_jax.train.audio.evaluate import HeldOut
from takin_jax.train.audio.noisy_rows import AudioLossConfig, noisy_rows
from takin_jax.train.state import Params
from takin_jax.train.task import (
  Batch,
  Batches,
  LossOutput,
  Task,
  nothing_evaluated,
)


class AudioTask(Task):
  """Trains the denoiser, and the speech encoder unless that is frozen."""

  def __init__(self, config: ConfigDict):
    super().__init__(config)
    self._cfg = build(AudioLossConfig, config.get('loss'))
    self._diffusion = build(DiffusionConfig, config.diffusion)
    self._hearing_learns = 'speech' not in config.optim.get('freeze', ())

  def init(self, key: jax.Array) -> Params:
    params = audio_to_motion.init(self.config, key)
    return {**params, **jax.tree.map(jnp.asarray, self._facts)}

  @functools.cached_property
  def _facts(self) -> Params:
    """Groups `stats` and `emotions` of the training people."""
    return facts_of(self.config.data)

  def batches(self) -> Batches:
    """Windows of sound and motion.

    Raises:
      InputError: for a cache that does not belong to this config.
    """
    config, cfg = self.config, self._diffusion
    _check_cache(config, cfg.window)
    shard = (jax.process_index(), jax.process_count())
    return iter(
      motion_windows.batches(
        config.data, cfg.window, cfg.prefix, config.seed, shard
      )
    )

  def batch_spec(self) -> batch_specs.Spec:
    """Of windows without a cache."""
    cfg = self._diffusion
    return batch_specs.windows(self.config.data, cfg.window, cfg.prefix)

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
    model = self.config.model

    def dropout(name: str) -> jax.Array | None:
      return rng.fold_in_str(key, f'{name}_dropout') if train else None

    states = self._heard(params, batch, dropout('hearing'))
    speech = audio_to_motion.mix_states(
      model, params, states, batch['frame_mask'], dropout('speech')
    )
    spoken = audio_to_motion.articulate(model, params, states)
    speech, spoken = (
      jnp.repeat(x, self._cfg.repeats, 0) for x in (speech, spoken)
    )
    rows = noisy_rows(
      self._cfg, self._diffusion, params['stats'], batch, key, train
    )
    unheard = rows['drop_audio'][:, None, None]
    rest = rows['motion'] - jnp.where(unheard, 0.0, spoken)
    names = ('emotion', 'source_kp', 'prefix', 'prefix_mask', 'frame_mask')
    output = audio_to_motion.denoise(
      model,
      params,
      schedule.add_noise(rest, rows['noise'], rows['alpha']),
      rows['step'],
      Conditions(speech, *(rows[name] for name in names)),
      rows['drop_audio'],
      rows.get('drop_emotion'),
      dropout('motion'),
    )
    loss, metrics = denoise_loss(
      output,
      rest,
      rows['noise'],
      rows['alpha'],
      Seen(rows['frame_mask'], rows.get('head_mask'), rows.get('follows')),
      self._diffusion.prediction,
      self._cfg.terms,
      normalization.power(params['stats']),
    )
    return LossOutput(loss, metrics)

  def _heard(
    self, params: Params, batch: Batch, dropout: jax.Array | None
  ) -> jax.Array:
    """[L + 1, B, 2T, E] states of the speech: cached ones or fresh ones."""
    if 'states' in batch:
      return jnp.moveaxis(batch['states'], 1, 0).astype(jnp.float32)
    return audio_to_motion.encode_speech(
      self.config.model,
      params,
      batch['wave'],
      dropout=dropout if self._hearing_learns else None,
    )

  def check(self) -> list[str]:
    """Opens the speech of held-out people, and looks for the renderer."""
    if self._held_out is None:
      return [nothing_evaluated(self.config.data.records)]
    return self._held_out.check()

  @functools.cached_property
  def _held_out(self) -> HeldOut | None:
    """None if nobody is held out."""
    try:
      return HeldOut(self.config)
    except EmptySplitError:
      return None

  def evaluate(self, params: Params) -> dict[str, float]:
    if self._held_out is None:
      return {}
    return self._held_out.evaluate(params)

  def samples(self, params: Params, path: pathlib.Path) -> None:
    if self._held_out is not None:
      self._held_out.draw(params, path)


def facts_of(data: ConfigDict) -> Params:
  """Groups `stats` and `emotions` of the training people.

  Without a name of records, for a dry run, they only have the right shapes.
  """
  records, decorrelate = data.records, data.get('decorrelate', False)
  if not records:
    dim = face.MOTION_DIM
    mean, std, mix = np.zeros(dim), np.ones(dim), np.eye(dim)
    emotions = {'neutral': np.zeros(face.EXP_DIM)}
  else:
    clips = motion_clips.load_clips(records, cached=data.get('cache', ''))
    mean, std = motion_clips.motion_stats(clips)
    mix = motion_clips.motion_directions(clips)
    emotions = motion_clips.named_emotions(clips)
  stats = {'mean': mean, 'std': std} | ({'mix': mix} if decorrelate else {})
  return {'stats': stats, 'emotions': emotions}


def _check_cache(config: ConfigDict, window: int) -> None:
  folder = config.data.get('cache', '')
  facts = motion_cache.read_facts(folder) if folder else None
  if not facts or not facts.states:
    return
  if 'speech' not in config.optim.get('freeze', ()):
    raise InputError(
      f'The states in {folder} stay as they are: put speech into '
      'optim.freeze, or leave data.cache empty.'
    )
  ours, theirs = (
    build(HubertConfig, block) for block in (config.model.speech, facts.speech)
  )
  if facts.window != window:
    raise InputError(
      f'{folder} has windows of {facts.window} frames and diffusion.window is '
      f'{window}; extract again with --window {window}.'
    )
  if ours != theirs:
    raise InputError(
      f'{folder} has states of another speech encoder than model.speech of '
      'this config; extract again from weights of this encoder.'
    )
