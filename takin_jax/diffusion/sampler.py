"""DDIM in one `lax.scan`, and classifier-free guidance on two conditions.

In: a function that predicts from x_t and the step. Out: x_0. Source: DDIM
(arXiv 2010.02502), classifier-free guidance (arXiv 2207.12598), with two
conditions as in InstructPix2Pix (arXiv 2211.09800), eq. 3.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from takin_jax.diffusion import schedule
from takin_jax.diffusion.schedule import DiffusionConfig

Predict = Callable[[jax.Array, jax.Array], jax.Array]


def ddim(
  predict: Predict,
  x: jax.Array,
  cfg: DiffusionConfig,
  key: jax.Array | None = None,
  trajectory: bool = False,
) -> jax.Array:
  """Samples by DDIM.

  Args:
    predict: `(x_t [B, ...], step []) -> output [B, ...]`, of the kind
      `cfg.prediction`.
    x: [B, ...] standard normal noise.
    cfg: schedule, number and spacing of steps, clipping, eta.
    key: for the noise that eta > 0 adds.
    trajectory: also keep what each step gave.

  Returns:
    [B, ...] the sample, or [N, B, ...] x after every step.

  Raises:
    ValueError: if eta > 0 comes without a key.
  """
  if cfg.eta and key is None:
    raise ValueError('DDIM with eta > 0 needs a key.')
  alphas = schedule.alphas_cumprod(cfg)
  at, to = schedule.timesteps(cfg.steps, cfg.sample_steps, cfg.spacing)
  alpha_to = jnp.where(to < 0, 1.0, alphas[to])

  def step(x: jax.Array, now: Any) -> tuple[jax.Array, jax.Array | None]:
    t, a, a_to = now
    x0, eps = schedule.to_x0_eps(predict(x, t), x, a, cfg.prediction)
    if cfg.clip:
      x0 = jnp.clip(x0, -cfg.clip, cfg.clip)
      if cfg.recompute_eps:
        eps = (x - jnp.sqrt(a) * x0) / jnp.sqrt(1 - a)
    variance = cfg.eta**2 * (1 - a_to) / (1 - a) * (1 - a / a_to)
    x = jnp.sqrt(a_to) * x0 + jnp.sqrt(1 - a_to - variance) * eps
    if cfg.eta:
      noise = jax.random.normal(jax.random.fold_in(key, t), x.shape)
      x = x + jnp.sqrt(variance) * noise
    return x, x if trajectory else None

  x, path = jax.lax.scan(step, x, (at, alphas[at], alpha_to))
  return path if trajectory else x


def guided(
  denoise: Callable[..., jax.Array],
  conditions: Any,
  audio: float = 1.0,
  emotion: float = 1.0,
) -> Predict:
  """Classifier-free guidance on speech and emotion, in one batched forward.

  f(-, -) + w_e (f(-, e) - f(-, -)) + w_a (f(a, e) - f(-, e)). Strengths of
  exactly 1 save the evaluations that cancel.

  Args:
    denoise: `(x_t, step [B], conditions, drop_audio [B], drop_emotion [B])
      -> output`.
    conditions: a tree of [B, ...] arrays.
    audio: w_a, strength of the speech.
    emotion: w_e, strength of the emotion.

  Returns:
    The function that `ddim` takes.
  """
  # (drop audio, drop emotion) of each evaluation.
  cases = [(False, False)]
  if audio != 1.0 or emotion != 1.0:
    cases.append((True, False))
  if emotion != 1.0:
    cases.append((True, True))
  n = len(cases)

  def tiled(x: jax.Array) -> jax.Array:
    return jnp.concatenate([x] * n)

  conditions = jax.tree.map(tiled, conditions)
  drops = jnp.asarray(cases)

  def predict(x: jax.Array, step: jax.Array) -> jax.Array:
    batch = x.shape[0]
    drop_audio, drop_emotion = jnp.repeat(drops, batch, axis=0).T
    steps = jnp.full((n * batch,), step)
    outputs = denoise(tiled(x), steps, conditions, drop_audio, drop_emotion)
    return _weighed(jnp.split(outputs, n), audio, emotion)

  return predict


def _weighed(
  outputs: list[jax.Array], audio: float, emotion: float
) -> jax.Array:
  """Of up to three evaluations: all given, emotion alone, nothing."""
  both, *rest = outputs
  if not rest:
    return both
  only_emotion = rest[0]
  neither = rest[1] if emotion != 1.0 else only_emotion
  return (
    neither + emotion * (only_emotion - neither) + audio * (both - only_emotion)
  )
