"""Losses of stage 2: denoising, and optional terms on the motion itself.

Source: Takin-ADA (arXiv 2410.14283), eq. 3. The velocity term (arXiv
2209.14916), smoothness and the weight on the lips are ours to switch on.
"""

import dataclasses
import functools

from flax import struct
import jax
import jax.numpy as jnp

from takin_jax import face
from takin_jax.diffusion import schedule


@dataclasses.dataclass(frozen=True)
class DenoiseLossConfig:
  """Weights; 0 switches a term off.

  Attributes:
    lips: weight of the lips' numbers in every term, relative to the others.
    pose: the same for scale, translation and rotation (the head's numbers).
    velocity: mean squared error of the change from frame to frame of the
      predicted x_0, weighted by the share of signal in x_t.
    smooth: mean square of the predicted x_0's second difference, the same
      way; 0 would be motion of constant speed.
  """

  lips: float = 1.0
  pose: float = 1.0
  velocity: float = 0.0
  smooth: float = 0.0


@struct.dataclass
class Seen:
  """What of a window is known.

  Attributes:
    frames: [B, T] bool, False for padding.
    head: [B, T] bool, False where nothing is known of the head; None: as
      `frames`.
    follows: [B, T] bool, False where the frame before is of another clip;
      None: nowhere.
  """

  frames: jax.Array
  head: jax.Array | None = None
  follows: jax.Array | None = None

  def numbers(self, size: int, order: int = 0) -> jax.Array:
    """float32 [B, T - order, size]: 1 where a difference is known.

    Args:
      size: M, numbers of a motion vector.
      order: of the difference in time.
    """
    frames = jnp.repeat(self.frames[..., None], size, -1)
    if self.head is not None:
      known = frames[..., face.HEAD] & self.head[..., None]
      frames = frames.at[..., face.HEAD].set(known)
    count = frames.shape[1] - order
    parts = [frames[:, i : i + count] for i in range(order + 1)]
    if self.follows is not None:
      joined = self.follows[..., None]
      parts += [joined[:, i : i + count] for i in range(1, order + 1)]
    known = functools.reduce(jnp.logical_and, parts)
    return known.astype(jnp.float32)


def denoise_loss(
  output: jax.Array,
  x0: jax.Array,
  noise: jax.Array,
  alpha: jax.Array,
  seen: Seen,
  prediction: str,
  cfg: DenoiseLossConfig,
  power: jax.Array | None = None,
) -> tuple[jax.Array, dict[str, jax.Array]]:
  """Mean squared error of what the network predicts, and the other terms.

  Args:
    output: [B, T, M] of the denoiser.
    x0: [B, T, M] normalised motion.
    noise: [B, T, M] that was added.
    alpha: [B] alphas_cumprod of each sample's step.
    seen: what of the windows is known.
    prediction: 'eps', 'x0' or 'v'.
    cfg: weights.
    power: [M] what one unit of each number is worth; None: all the same.

  Returns:
    The loss [] and its parts by name.
  """
  output = output.astype(jnp.float32)
  target = schedule.training_target(x0, noise, alpha, prediction)
  weights = number_weights(x0.shape[-1], cfg, power)
  known = seen.numbers(x0.shape[-1])
  loss = masked_mean(jnp.square(output - target) * weights, known)
  parts = {'denoise': loss}
  if cfg.velocity or cfg.smooth:
    x_t = schedule.add_noise(x0, noise, alpha)
    got = schedule.to_x0_eps(output, x_t, alpha, prediction)[0]
    # With eps, x_0 carries a factor 1 / sqrt(alpha): weigh by alpha.
    scale = alpha[:, None, None] * weights
    terms = {'velocity': (got - x0, 1), 'smooth': (got, 2)}
    for name, (motion, order) in terms.items():
      if weight := getattr(cfg, name):
        change = scale * jnp.square(jnp.diff(motion, order, axis=1))
        known = seen.numbers(x0.shape[-1], order)
        parts[name] = masked_mean(change, known)
        loss = loss + weight * parts[name]
  return loss, parts


def number_weights(
  numbers: int, cfg: DenoiseLossConfig, power: jax.Array | None = None
) -> jax.Array:
  """Weight of each of the motion's numbers, with mean 1: [M]."""
  weights = jnp.ones(numbers)
  weights = weights.at[face.LIPS].set(cfg.lips).at[face.HEAD].set(cfg.pose)
  if power is not None:
    weights = weights * power
  return weights / weights.mean()


def masked_mean(x: jax.Array, mask: jax.Array) -> jax.Array:
  """Mean of x [B, T, M] where mask [B, T, M] is 1 and not 0."""
  return (x * mask).sum() / jnp.maximum(mask.sum(), 1.0)
