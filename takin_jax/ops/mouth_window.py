"""The mouth in its window: jaws, lip curves, what lies between the lips.

Exact functions of the driving and the portrait's keypoints, which are numbered
as in `takin_jax.face`. Windows are those of `face_window`.
"""

import jax
import jax.numpy as jnp

from takin_jax.face import (
  CHEEKS,
  CHIN,
  EYE_CORNERS,
  INNER_LIPS,
  MOUTH_CORNERS,
  NOSE,
  OUTER_LIPS,
)
from takin_jax.ops import face_window
from takin_jax.ops.face_window import Affine, curve_distance

LIPS = (*MOUTH_CORNERS, *OUTER_LIPS)
# Lips, nose and chin; eye corners and cheeks tell the head's pose.
_SEEN = (*LIPS, *INNER_LIPS, NOSE, CHIN)
_POSED = (*EYE_CORNERS, *CHEEKS)
# The chin drops by so much of the gap between the lips.
_CHIN_PER_GAP = 0.65
# Half the size of the jaws' textures, window pixels.
_TEXTURE_REACH = (36.0, 21.0)


def jaws(
  kp_source: jax.Array, kp_driving: jax.Array, window: Affine
) -> tuple[Affine, Affine]:
  """Window pixels -> portrait, for what the upper and the lower jaw carry."""
  depth = kp_driving[:, jnp.asarray(MOUTH_CORNERS), 2].mean(1)
  upper = face_window.head_motion(kp_driving, kp_source, depth)
  chin = kp_driving[:, CHIN : CHIN + 1, :2]
  dropped = (kp_source[:, CHIN : CHIN + 1, :2] - upper(chin))[:, 0]
  lower = Affine(upper.matrix, upper.offset + dropped)
  return window.then(upper), window.then(lower)


def in_texture(
  jaw: Affine, own: Affine, points: jax.Array, lower: int
) -> Affine:
  """Window pixels -> a jaw's texture in [-1, 1].

  Args:
    jaw: window pixels -> portrait.
    own: the portrait's own window -> portrait.
    points: [B, K, 2] keypoints in its own window.
    lower: 1 for the lower jaw: its texture is that of shut lips.
  """
  middle = points[:, jnp.asarray(MOUTH_CORNERS)].mean(1)
  gap = lower * _CHIN_PER_GAP * _gap(points, INNER_LIPS)
  at = jaw.then(own.inverse())
  reach = jnp.array(_TEXTURE_REACH)
  offset = at.offset - middle - jnp.pad(gap, ((0, 0), (1, 0)))
  return Affine(at.matrix / reach, offset / reach)


def _gap(points: jax.Array, pair: tuple[int, int]) -> jax.Array:
  """[B, 1]: height of the gap between two keypoints."""
  return points[:, pair[1], 1:] - points[:, pair[0], 1:]


def lip_distances(points: jax.Array, position: jax.Array) -> jax.Array:
  """Heights over the inner and outer lip curves (upper, lower; upper, lower).

  Args:
    points: [B, K, 2] keypoints in the window.
    position: [B, N, 2] in the window.

  Returns:
    [B, N, 4], window pixels, positive below a curve.
  """
  left, right = points[:, MOUTH_CORNERS[0]], points[:, MOUTH_CORNERS[1]]
  aside = jnp.array([2.0, 0.0])  # the outer lips reach a little further
  curves = [
    curve_distance(position, left, right, points[:, i]) for i in INNER_LIPS
  ]
  for i in OUTER_LIPS:
    curves.append(
      curve_distance(position, left - aside, right + aside, points[:, i])
    )
  return jnp.stack(curves, -1)


def inside_lips(points: jax.Array, position: jax.Array) -> jax.Array:
  """[B, N, 1]: 1 between the inner lips, with an edge of about two pixels."""
  upper, lower = jnp.split(lip_distances(points, position)[..., :2], 2, -1)
  return jax.nn.sigmoid(upper) * jax.nn.sigmoid(-lower)


def keypoint_vector(points: jax.Array, own_points: jax.Array) -> jax.Array:
  """[B, N]: where lips, nose and chin are now and in the portrait."""

  def flat(points: jax.Array, chosen: tuple[int, ...]) -> jax.Array:
    return points[:, jnp.asarray(chosen)].reshape(len(points), -1)

  both = (points, own_points)
  return jnp.concatenate(
    [
      *(flat(p, _SEEN) / 16 for p in both),
      *(
        _gap(p, pair) / size
        for p in both
        for pair, size in ((INNER_LIPS, 8), (OUTER_LIPS, 16))
      ),
      *(flat(p, _POSED) / 32 for p in both),
    ],
    -1,
  )
