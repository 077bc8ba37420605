"""Mouth and eyes, opened and closed by moving keypoints apart.

Only for landmark keypoints, of which the lips and lids are known by name.
"""

import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.face import Pairs, gaps

# Canonical distances. Inner lips: what the training people have in one frame of
# twenty.
CLOSED_LIPS, CLOSED_LIDS = 0.01, 0.005
# Of the way is the lower one's: the jaw closes a mouth, the upper lid an eye.
LOWER_LIP_SHARE, LOWER_LID_SHARE = 0.7, 0.17


def part(
  points: jax.Array,
  pairs: Pairs,
  by: jax.Array,
  lower_share: float = 0.5,
) -> jax.Array:
  """Moves the keypoints of every pair apart, or together.

  Args:
    points: [..., K, 3] keypoints or expressions.
    pairs: P pairs of upper and lower keypoint.
    by: [..., P or 1] how much wider each gap becomes.
    lower_share: of the way is the lower keypoint's.

  Returns:
    [..., K, 3].
  """
  points, (upper, lower) = jnp.asarray(points), np.array(pairs).T
  points = points.at[..., lower, 1].add(lower_share * by)
  return points.at[..., upper, 1].add((lower_share - 1.0) * by)


def excess(
  exp: jax.Array, kp: jax.Array, pairs: Pairs, closed: float
) -> jax.Array:
  """How much wider than closed each pair is, 0 where it is not.

  Args:
    exp: [..., K, 3] expression.
    kp: [..., K, 3] canonical keypoints.
    pairs: P pairs.
    closed: canonical distance of a closed one.

  Returns:
    [..., P].
  """
  return jnp.maximum(gaps(kp + exp, pairs) - closed, 0.0)


def open_as(exp: jax.Array, wanted: jax.Array, pairs: Pairs) -> jax.Array:
  """[..., K, 3] `exp` with the pairs as far apart as in `wanted`."""
  return part(exp, pairs, gaps(wanted - exp, pairs))
