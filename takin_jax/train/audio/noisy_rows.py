"""What the denoiser is shown of a batch in one step of training."""

import dataclasses
import functools

import jax
import jax.numpy as jnp

from takin_jax import rng
from takin_jax.diffusion import normalization, schedule
from takin_jax.diffusion.schedule import DiffusionConfig
from takin_jax.losses.denoise import DenoiseLossConfig
from takin_jax.train.state import Params


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
  hearing = ('wave', 'states')
  rows = {k: v for k, v in batch.items() if k not in hearing}
  for name in ('motion', 'prefix', 'emotion'):
    rows[name] = normalization.normalize(stats, rows[name])
  if train:
    rows = _changed(rows, rng.fold_in_str(key, 'changes'), cfg)
  rows = jax.tree.map(lambda x: jnp.repeat(x, cfg.repeats, 0), rows)
  x0 = rows['motion']
  step = _steps(
    rng.fold_in_str(key, 'steps'), len(x0), diffusion.steps, cfg.noisy_share
  )
  return {
    **rows,
    'step': step,
    'alpha': jnp.asarray(schedule.alphas_cumprod(diffusion))[step],
    'noise': jax.random.normal(rng.fold_in_str(key, 'noise'), x0.shape),
  }


def _steps(
  key: jax.Array, count: int, steps: int, noisy_share: float
) -> jax.Array:
  """[count] diffusion steps: uniform, and some from the last tenth."""
  shape, last = (count,), steps - steps // 10
  draw = functools.partial(rng.fold_in_str, key)
  anywhere = jax.random.randint(draw('anywhere'), shape, 0, steps)
  noisy = jax.random.randint(draw('noisy'), shape, last, steps)
  chosen = jax.random.bernoulli(draw('which'), noisy_share, shape)
  return jnp.where(chosen, noisy, anywhere)


def _changed(
  batch: dict[str, jax.Array], key: jax.Array, cfg: AudioLossConfig
) -> dict[str, jax.Array]:
  """Drops conditions at random and adds noise to the prefix."""
  draw = functools.partial(rng.fold_in_str, key)
  size = batch['motion'].shape[:1]
  dropped = jax.random.bernoulli(draw('drop_audio'), cfg.drop_audio, size)
  level = jax.random.uniform(draw('prefix_level'), (*size, 1, 1))
  noise = jax.random.normal(draw('prefix_noise'), batch['prefix'].shape)
  return {
    **batch,
    'drop_audio': batch['drop_audio'] | dropped,
    'drop_emotion': jax.random.bernoulli(
      draw('drop_emotion'), cfg.drop_emotion, size
    ),
    'prefix': batch['prefix'] + cfg.prefix_noise * level * noise,
  }
