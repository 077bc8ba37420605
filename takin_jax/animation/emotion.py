"""An emotion put on a speaking face, beside what the denoiser makes of it."""

import jax
import jax.numpy as jnp

from takin_jax.animation import openings
from takin_jax.animation.controls import Controls
from takin_jax.face import INNER_LIPS, LIDS, OUTER_LIPS, gaps

_FADE_FRAMES = 12  # from one emotion to the next, at most


def shift(offset: jax.Array) -> jax.Array:
  """What of an emotion is put on the face, whatever is said.

  The speech decides how far the lips are apart, and blinks come and go: lips
  keep their gap, lids are not closed.

  Args:
    offset: [3K] the emotion minus the neutral expression, of landmark
      keypoints.

  Returns:
    [K, 3] to add to the expression.
  """
  points = jnp.asarray(offset).reshape(-1, 3)
  lips = (OUTER_LIPS, INNER_LIPS)
  points = openings.part(points, lips, -gaps(points, lips))
  return openings.part(points, LIDS, -jnp.minimum(gaps(points, LIDS), 0.0))


def course(
  before: jax.Array,
  is_first: jax.Array,
  neutral: jax.Array | None,
  controls: Controls,
  share: float,
  frames: int,
) -> jax.Array:
  """The emotion over one chunk, going over from the one before.

  Args:
    before: [K, 3] what was added at the end of the chunk before.
    is_first: [] bool, there was none.
    neutral: [3K] the expression without emotion; None: not known.
    controls: the emotion that is wanted.
    share: of it that is added.
    frames: T, of the chunk.

  Returns:
    [T, K, 3] to add to the expression.
  """
  if not share or neutral is None:
    return jnp.zeros((frames, *before.shape))
  wanted = shift(controls.emotion - neutral)
  wanted = share * controls.has_emotion * wanted
  before = jnp.where(is_first, wanted, before)
  passed = jnp.arange(1.0, frames + 1) / min(frames, _FADE_FRAMES)
  part = jnp.minimum(passed, 1.0)[:, None, None]
  return before + part * (wanted - before)
