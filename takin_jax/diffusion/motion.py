"""Motion for a window of speech: the denoiser under guided DDIM."""

import math

import jax
import jax.numpy as jnp

from takin_jax import face
from takin_jax.diffusion.sampler import ddim, guided
from takin_jax.diffusion.schedule import DiffusionConfig
from takin_jax.models.denoiser import Conditions, MotionDenoiser


def sample_motion(
  denoiser: MotionDenoiser,
  params: dict,
  states: jax.Array,
  conditions: dict[str, jax.Array],
  no_emotion: jax.Array,
  cfg: DiffusionConfig,
  key: jax.Array,
  heard: int = 0,
) -> jax.Array:
  """Samples a batch of windows.

  Args:
    denoiser: the module.
    params: its parameters.
    states: [L + 1, B, 2 (heard + T), E] of the speech encoder.
    conditions: the fields of `Conditions`, but for speech.
    no_emotion: [B] bool, True: as if no emotion were given.
    cfg: steps and strengths of guidance.
    key: of the noise.
    heard: frames before the window that are only listened to.

  Returns:
    [B, T, M] normalised motion.
  """
  variables = {'params': params}
  speech = denoiser.apply(variables, states, method='encode_speech')
  speech = speech[:, heard:]
  conditions = Conditions(speech=speech, **conditions)

  def denoise(
    x_t: jax.Array,
    step: jax.Array,
    given: tuple[Conditions, jax.Array],
    drop_audio: jax.Array,
    drop_emotion: jax.Array,
  ) -> jax.Array:
    conditions, no_emotion = given
    return denoiser.apply(
      variables,
      x_t,
      step,
      conditions,
      drop_audio,
      drop_emotion | no_emotion,
      method='denoise',
    )

  predict = guided(
    denoise,
    (conditions, no_emotion),
    cfg.guidance_audio,
    cfg.guidance_emotion,
  )
  key, noise_key = jax.random.split(key)
  shape = (*speech.shape[:2], denoiser.cfg.motion_dim)
  noise = jax.random.normal(noise_key, shape)
  noise = noise.at[..., face.LIPS].multiply(cfg.lip_noise)
  x = ddim(predict, noise, cfg, key)
  known = conditions.prefix_mask[..., None]
  parts = [
    _smooth(x[..., part], conditions.prefix[..., part], known, deviation)
    for part, deviation in (
      (face.EXP, cfg.smooth_frames),
      (face.HEAD, cfg.smooth_head_frames),
    )
  ]
  return jnp.concatenate(parts, -1)


def _smooth(
  x: jax.Array, prefix: jax.Array, known: jax.Array, deviation: float
) -> jax.Array:
  """Gaussian over time that starts in the frames before the window.

  Args:
    x: [B, T, M] motion.
    prefix: [B, P, M] before it.
    known: [B, P, 1] bool; where it is not, the first frame takes its place.
    deviation: in frames; 0: none.

  Returns:
    [B, T, M].
  """
  if not deviation:
    return x
  frames = x.shape[1]
  radius = min(math.ceil(3 * deviation), prefix.shape[1])
  before = jnp.where(known, prefix, x[:, :1])
  before = before[:, prefix.shape[1] - radius :]
  after = jnp.repeat(x[:, -1:], radius, 1)
  padded = jnp.concatenate([before, x, after], 1)
  offsets = jnp.arange(-radius, radius + 1)
  kernel = jnp.exp(-0.5 * jnp.square(offsets / deviation))
  kernel /= kernel.sum()
  shifts = range(2 * radius + 1)
  return sum(kernel[i] * padded[:, i : i + frames] for i in shifts)
