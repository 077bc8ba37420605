"""Losses of stage 2: denoising, and optional terms on the motion itself.

Source: Takin-ADA (arXiv 2410.14283), eq. 3. The velocity term (arXiv
2209.14916), smoothness and the weight on the lips are ours to switch on.
"""

import dataclasses

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


def denoise_loss(
  output: jax.Array,
  x0: jax.Array,
  noise: jax.Array,
  alpha: jax.Array,
  frame_mask: jax.Array,
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
    frame_mask: [B, T] bool, False for padding.
    prediction: 'eps', 'x0' or 'v'.
    cfg: weights.
    power: [M] what one unit of each number is worth; None: all the same.

  Returns:
    The loss [] and its parts by name.
  """
  output = output.astype(jnp.float32)
  target = schedule.training_target(x0, noise, alpha, prediction)
  weights = number_weights(x0.shape[-1], cfg, power)
  loss = masked_mean(jnp.square(output - target) * weights, frame_mask)
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
        frames = frame_mask.shape[1] - order
        seen = [frame_mask[:, i : i + frames] for i in range(order + 1)]
        parts[name] = masked_mean(change, jnp.stack(seen).all(0))
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
  """Mean of x [B, T, M] over the frames of mask [B, T]."""
  kept = mask[..., None].astype(x.dtype)
  return (x * kept).sum() / jnp.maximum(kept.sum() * x.shape[-1], 1.0)
