"""Stage 2: speech to motion by diffusion.

The speech encoder (group `speech`, usually frozen and taken from its own run)
hears the window, or has heard it before (`data.cache`); the denoiser learns the
noise in the motion that goes with it. Statistics of the motion and named
emotions are facts of the records, kept with the parameters (groups `stats` and
`emotions`).
Source: Takin-ADA (arXiv 2410.14283), eq. 3 and section 3.2.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict
import numpy as np

from takin_jax import face
from takin_jax.config import build
from takin_jax.data.batches import motion_clips, motion_windows
from takin_jax.data.batches import specs as batch_specs
from takin_jax.data.records import motion_cache
from takin_jax.diffusion import normalization, schedule
from takin_jax.diffusion.schedule import DiffusionConfig
from takin_jax.errors import InputError
from takin_jax.losses.denoise import DenoiseLossConfig, Seen, denoise_loss
from takin_jax.models.denoiser import (
  Conditions,
  DenoiserConfig,
  MotionDenoiser,
)
from takin_jax.models.hubert import Hubert, HubertConfig
from takin_jax.train.audio.evaluate import evaluate, normalize, samples

__all__ = ['batch_spec', 'batches', 'evaluate', 'init', 'loss_fn', 'samples']

Params = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class AudioLossConfig:
  """The config block `loss` of the audio stage.

  Attributes:
    drop_audio: share of windows that are denoised without their speech.
    drop_emotion: share without their emotion.
    prefix_noise: largest deviation of noise on the motion before a window,
      which at inference is the model's own.
    repeats: noise levels at which every window is seen in one step; hearing
      costs more than denoising.
    noisy_share: share of them in the noisiest tenth of the process, where the
      speech, not the noisy motion, tells what to do.
    terms: weights of the losses.
  """

  drop_audio: float = 0.1
  drop_emotion: float = 0.15
  prefix_noise: float = 0.1
  repeats: int = 1
  noisy_share: float = 0.0
  terms: DenoiseLossConfig = DenoiseLossConfig()


def init(config: ConfigDict, key: jax.Array) -> Params:
  """Fresh speech encoder and denoiser, and the facts of the records."""
  cfg = build(DiffusionConfig, config.diffusion)
  hubert, denoiser = _modules(config)
  frames, dim = 4, denoiser.cfg.motion_dim
  wave = jnp.zeros((1, face.SAMPLES_PER_FRAME * (frames + 1)))
  keys = jax.random.split(key)
  states, speech = hubert.init_with_output(keys[0], wave)
  variables = denoiser.init(
    keys[1],
    jnp.zeros((1, frames, dim)),
    jnp.zeros(1, jnp.int32),
    states[:, :, : 2 * frames],
    emotion=jnp.zeros((1, dim - face.HEAD_DIM)),
    source_kp=jnp.zeros((1, dim - face.HEAD_DIM)),
    prefix=jnp.zeros((1, cfg.prefix, dim)),
    prefix_mask=jnp.zeros((1, cfg.prefix), bool),
  )
  data = config.data
  told = data.records, data.get('cache', ''), data.get('decorrelate', False)
  facts = _facts(*told)
  return {
    'speech': speech['params'],
    'denoiser': variables['params'],
    **jax.tree.map(jnp.asarray, facts),
  }


def _modules(config: ConfigDict) -> tuple[Hubert, MotionDenoiser]:
  """Both networks, in the compute type `model.dtype`."""
  dtype = jnp.dtype(config.model.get('dtype', 'float32'))
  return (
    Hubert(build(HubertConfig, config.model.speech), dtype),
    MotionDenoiser(build(DenoiserConfig, config.model.denoiser), dtype),
  )


@functools.lru_cache(maxsize=1)
def _facts(records: str, cached: str, decorrelate: bool) -> Params:
  """Groups `stats` and `emotions` of the training people.

  Without a name of records, for a dry run, they only have the right shapes.
  """
  if not records:
    dim = face.MOTION_DIM
    mean, std, mix = np.zeros(dim), np.ones(dim), np.eye(dim)
    emotions = {'neutral': np.zeros(face.EXP_DIM)}
  else:
    clips = motion_clips.load_clips(records, cached=cached)
    mean, std = motion_clips.motion_stats(clips)
    mix = motion_clips.motion_directions(clips)
    emotions = motion_clips.named_emotions(clips)
  stats = {'mean': mean, 'std': std} | ({'mix': mix} if decorrelate else {})
  return {'stats': stats, 'emotions': emotions}


def batches(config: ConfigDict) -> Any:
  """Windows of sound and motion.

  Raises:
    InputError: for a cache that does not belong to this config.
  """
  cfg = build(DiffusionConfig, config.diffusion)
  _check_cache(config, cfg.window)
  shard = (jax.process_index(), jax.process_count())
  return iter(
    motion_windows.batches(
      config.data, cfg.window, cfg.prefix, config.seed, shard
    )
  )


def batch_spec(config: ConfigDict) -> batch_specs.Spec:
  """Shapes of these batches without a cache, without records."""
  cfg = build(DiffusionConfig, config.diffusion)
  return batch_specs.windows(config.data, cfg.window, cfg.prefix)


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


def loss_fn(config: ConfigDict) -> Any:
  """Makes `f(params, batch, key, train) -> (loss, metrics)`."""
  cfg = build(AudioLossConfig, config.loss)
  diffusion = build(DiffusionConfig, config.diffusion)
  hubert, denoiser = _modules(config)
  hearing_learns = 'speech' not in config.optim.get('freeze', ())

  def loss(
    params: Params, batch: dict[str, Any], key: jax.Array, train: bool
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    keys = jax.random.split(key, 6)
    hears = train and hearing_learns
    states = _heard(hubert, params['speech'], batch, keys[1], hears)
    variables = {'params': params['denoiser']}
    speech = denoiser.apply(
      variables,
      states,
      batch['frame_mask'],
      train,
      method='encode_speech',
      rngs={'dropout': keys[5]},
    )
    speech = jnp.repeat(speech, cfg.repeats, 0)
    rows = noisy_rows(cfg, diffusion, params['stats'], batch, key, train)
    names = ('emotion', 'source_kp', 'prefix', 'prefix_mask', 'frame_mask')
    output = denoiser.apply(
      variables,
      schedule.add_noise(rows['motion'], rows['noise'], rows['alpha']),
      rows['step'],
      Conditions(speech, *(rows[name] for name in names)),
      rows['drop_audio'],
      rows.get('drop_emotion'),
      train,
      method='denoise',
      rngs={'dropout': keys[4]},
    )
    return denoise_loss(
      output,
      rows['motion'],
      rows['noise'],
      rows['alpha'],
      Seen(rows['frame_mask'], rows.get('head_mask'), rows.get('follows')),
      diffusion.prediction,
      cfg.terms,
      normalization.power(params['stats']),
    )

  return loss


def _heard(
  hubert: Hubert,
  params: Params,
  batch: dict[str, jax.Array],
  key: jax.Array,
  train: bool,
) -> jax.Array:
  """[L + 1, B, 2T, E] states of the speech: cached ones or fresh ones."""
  if 'states' in batch:
    return jnp.moveaxis(batch['states'], 1, 0).astype(jnp.float32)
  return hubert.apply(
    {'params': params}, batch['wave'], train=train, rngs={'dropout': key}
  )


def noisy_rows(
  cfg: AudioLossConfig,
  diffusion: DiffusionConfig,
  stats: Params,
  batch: dict[str, jax.Array],
  key: jax.Array,
  train: bool,
) -> dict[str, jax.Array]:
  """What the denoiser is shown of a batch; the speech apart.

  Args:
    cfg: settings of the loss.
    diffusion: the process.
    stats: mean and deviation of the motion.
    batch: as `batches` makes it.
    key: of the step.
    train: drop conditions at random and add noise to the prefix.

  Returns:
    `motion`, `prefix`, their masks and the conditions, normalised, every
    window `cfg.repeats` times in a row: [R, ...]; and for every row `step`
    [R], its `alpha` [R] and the `noise` [R, T, M].
  """
  keys = jax.random.split(key, 6)
  hearing = ('wave', 'states')
  rows = {k: v for k, v in batch.items() if k not in hearing}
  rows = normalize(stats, rows)
  if train:
    rows = _changed(rows, keys[0], cfg)
  rows = jax.tree.map(lambda x: jnp.repeat(x, cfg.repeats, 0), rows)
  x0 = rows['motion']
  step = _steps(keys[2], len(x0), diffusion.steps, cfg.noisy_share)
  return {
    **rows,
    'step': step,
    'alpha': jnp.asarray(schedule.alphas_cumprod(diffusion))[step],
    'noise': jax.random.normal(keys[3], x0.shape),
  }


def _steps(
  key: jax.Array, count: int, steps: int, noisy_share: float
) -> jax.Array:
  """[count] diffusion steps: uniform, and some from the last tenth."""
  keys = jax.random.split(key, 3)
  anywhere = jax.random.randint(keys[0], (count,), 0, steps)
  noisy = jax.random.randint(keys[1], (count,), steps - steps // 10, steps)
  chosen = jax.random.bernoulli(keys[2], noisy_share, (count,))
  return jnp.where(chosen, noisy, anywhere)


def _changed(
  batch: dict[str, jax.Array], key: jax.Array, cfg: AudioLossConfig
) -> dict[str, jax.Array]:
  """Drops conditions at random and adds noise to the prefix."""
  keys = jax.random.split(key, 4)
  size = batch['motion'].shape[:1]
  dropped = jax.random.bernoulli(keys[0], cfg.drop_audio, size)
  level = cfg.prefix_noise * jax.random.uniform(keys[2], (*size, 1, 1))
  noise = level * jax.random.normal(keys[3], batch['prefix'].shape)
  return {
    **batch,
    'drop_audio': batch['drop_audio'] | dropped,
    'drop_emotion': jax.random.bernoulli(keys[1], cfg.drop_emotion, size),
    'prefix': batch['prefix'] + noise,
  }
