"""Loss of learning a teacher's speech features.

Source: DistilHuBERT (arXiv 2110.01900), eq. 1: L1 and cosine.
"""

import jax
import jax.numpy as jnp


def distill_loss(
  student: jax.Array, teacher: jax.Array, mask: jax.Array, cosine: float = 1.0
) -> tuple[jax.Array, dict[str, jax.Array]]:
  """L1 distance minus the log-sigmoid of the cosine similarity.

  Args:
    student: [B, T, E] predicted features.
    teacher: [B, T, E] normalised features.
    mask: [B, T] bool, False for padding.
    cosine: weight of the second term.

  Returns:
    The loss [] and its parts: `l1`, `cosine` (the similarity itself).
  """
  student, teacher = (x.astype(jnp.float32) for x in (student, teacher))
  frames = jnp.maximum(mask.sum(), 1)
  l1 = jnp.where(mask, jnp.abs(student - teacher).mean(-1), 0).sum() / frames
  dot = (student * teacher).sum(-1)
  squares = jnp.square(student).sum(-1) * jnp.square(teacher).sum(-1)
  similarity = dot * jax.lax.rsqrt(squares + 1e-6)
  penalty = -jax.nn.log_sigmoid(similarity)
  loss = l1 + cosine * jnp.where(mask, penalty, 0).sum() / frames
  mean = jnp.where(mask, similarity, 0).sum() / frames
  return loss, {'l1': l1, 'cosine': mean}
