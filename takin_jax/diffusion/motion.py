"""Motion for a window of speech: the denoiser under guided DDIM.

The noise that it begins with belongs to the frames of a stream, not to the
windows that the stream is cut into: a frame that two windows share begins with
the same noise in both, and what is slow in the noise goes on.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from takin_jax import face
from takin_jax.diffusion.sampler import ddim, guided
from takin_jax.diffusion.schedule import DiffusionConfig
from takin_jax.models.denoiser import Conditions, MotionDenoiser

_BEFORE = 1 << 16  # frames before a stream that noise may come from


def sample_motion(
  denoiser: MotionDenoiser,
  params: dict,
  states: jax.Array,
  conditions: dict[str, jax.Array],
  no_emotion: jax.Array,
  cfg: DiffusionConfig,
  key: jax.Array,
  heard: int = 0,
  first_frame: int | jax.Array = 0,
) -> jax.Array:
  """Samples a batch of windows.

  Args:
    denoiser: the module.
    params: its parameters.
    states: [L + 1, B, 2 (heard + T), E] of the speech encoder.
    conditions: the fields of `Conditions`, but for speech.
    no_emotion: [B] bool, True: as if no emotion were given.
    cfg: steps and strengths of guidance.
    key: of the noise, the same for all of a stream.
    heard: frames before the window that are only listened to.
    first_frame: [] number of the window's first frame in its stream.

  Returns:
    [B, T, M] normalised motion.
  """
  variables = {'params': params}
  speech = denoiser.apply(variables, states, method='encode_speech')
  speech = speech[:, heard:]
  conditions = Conditions(speech=speech, **conditions)
  predict = guided(
    functools.partial(_denoise, denoiser, variables),
    (conditions, no_emotion),
    cfg.guidance_audio,
    cfg.guidance_emotion,
  )
  shape = (*speech.shape[:2], denoiser.cfg.motion_dim)
  noise = first_noise(cfg, key, first_frame, shape)
  x = ddim(predict, noise, cfg, jax.random.fold_in(key, first_frame))
  return _smoothed(x, conditions, cfg)


def _smoothed(
  x: jax.Array, conditions: Conditions, cfg: DiffusionConfig
) -> jax.Array:
  """[B, T, M] over time, face and head each by its own."""
  known = conditions.prefix_mask[..., None]
  parts = [
    _smooth(x[..., part], conditions.prefix[..., part], known, deviation)
    for part, deviation in (
      (face.EXP, cfg.smooth_frames),
      (face.HEAD, cfg.smooth_head_frames),
    )
  ]
  return jnp.concatenate(parts, -1)


def _denoise(
  denoiser: MotionDenoiser,
  variables: dict,
  x_t: jax.Array,
  step: jax.Array,
  given: tuple[Conditions, jax.Array],
  drop_audio: jax.Array,
  drop_emotion: jax.Array,
) -> jax.Array:
  """One evaluation; `given`: the conditions, and [B] for whom no emotion is."""
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


def first_noise(
  cfg: DiffusionConfig,
  key: jax.Array,
  first_frame: int | jax.Array,
  shape: tuple[int, int, int],
) -> jax.Array:
  """What sampling begins with: normal noise of each frame's own.

  Args:
    cfg: how large it is on the lips, how slow on the head.
    key: of the stream.
    first_frame: [] number of the window's first frame in it.
    shape: (B, T, M).

  Returns:
    [B, T, M] float32; every number of every frame has deviation 1, or
    `cfg.lip_noise`.
  """
  batch, frames, size = shape
  reach = math.ceil(3 * cfg.head_noise_frames)
  # From far enough before the first frame on; keys take no negative numbers.
  numbers = first_frame + jnp.arange(frames + 2 * reach) + (_BEFORE - reach)
  noise = jax.vmap(
    lambda number: jax.random.normal(
      jax.random.fold_in(key, number), (batch, size)
    ),
    out_axes=1,
  )(numbers)
  around, noise = noise, noise[:, reach : reach + frames]
  noise = noise.at[..., face.LIPS].multiply(cfg.lip_noise)
  if not reach:
    return noise
  kernel = _gaussian(reach, cfg.head_noise_frames)
  kernel /= np.sqrt(np.square(kernel).sum())
  head = around[..., face.HEAD]
  slow = sum(k * head[:, i : i + frames] for i, k in enumerate(kernel.tolist()))
  return noise.at[..., face.HEAD].set(slow)


def _gaussian(reach: int, deviation: float) -> np.ndarray:
  offsets = np.arange(-reach, reach + 1)
  return np.exp(-0.5 * np.square(offsets / deviation))


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
  kernel = _gaussian(radius, deviation)
  kernel = (kernel / kernel.sum()).tolist()
  return sum(k * padded[:, i : i + frames] for i, k in enumerate(kernel))
