"""Stage-1 losses on keypoints and pictures: pure functions, float32.

Sources: face-vid2vid (arXiv 2011.15126) for equivariance, keypoint prior,
head pose and deformation prior; Takin-ADA (arXiv 2410.14283) eqs. 1 and 2 for
the canonical and the landmark loss.
"""

import jax
import jax.numpy as jnp


def huber(x: jax.Array, delta: float = 1.0) -> jax.Array:
  """Element-wise Huber function: x^2 / 2 inside delta, linear outside."""
  size = jnp.abs(x)
  return jnp.where(
    size < delta, 0.5 * jnp.square(x), delta * (size - 0.5 * delta)
  )


def wing(x: jax.Array, width: float = 0.1, curvature: float = 0.02):
  """Element-wise wing function (Feng et al., arXiv 1711.06753)."""
  size = jnp.abs(x)
  offset = width - width * jnp.log1p(width / curvature)
  return jnp.where(
    size < width, width * jnp.log1p(size / curvature), size - offset
  )


def canonical_loss(kp: jax.Array, delta: float = 0.1) -> jax.Array:
  """Mean Huber distance of a person's canonical keypoints, Takin eq. 1.

  Over all pairs of pictures; divided by delta, so that large distances count
  as they are.

  Args:
    kp: [B, G, K, 3] from G >= 2 pictures of one person each.
    delta: where the Huber function turns linear.
  """
  first, second = jnp.triu_indices(kp.shape[1], 1)
  return huber(kp[:, first] - kp[:, second], delta).mean() / delta


def landmark_loss(
  x: jax.Array,
  landmarks: jax.Array,
  keypoints: tuple[int, ...],
  delta: float = 0.1,
  use_wing: bool = False,
) -> jax.Array:
  """Half the mean distance of keypoints to landmarks, Takin eq. 2.

  Source and driving pictures stand in one batch, each with its own landmarks.

  Args:
    x: [B, K, 3] keypoints in the picture.
    landmarks: [B, N, 2 or more] places in the picture, [-1, 1] units.
    keypoints: the N keypoints that they guide.
    delta: where the Huber function turns linear.
    use_wing: the wing function instead of Huber's.
  """
  error = x[:, jnp.asarray(keypoints), :2] - landmarks[..., :2]
  values = wing(error) if use_wing else huber(error, delta) / delta
  return 0.5 * values.mean()


def equivariance_loss(x: jax.Array, x_mapped: jax.Array) -> jax.Array:
  """mean |x - T(x_T)| in x and y.

  The warped picture shows at p what the picture has at T(p), so T takes its
  keypoints x_T to where they were.

  Args:
    x: [B, K, 3] keypoints of a picture.
    x_mapped: [B, K, 2] T(x_T).
  """
  return jnp.abs(x[..., :2] - x_mapped).mean()


def keypoint_prior(
  x: jax.Array, distance: float = 0.1, depth: float = 0.33
) -> jax.Array:
  """Keeps keypoints apart and their mean depth fixed.

  sum_ij mean_b max(0, distance - |x_i - x_j|^2) over i != j, and
  mean_b |mean_k z - depth|. (Public code also counts i = j, a constant.)
  """
  squared = jnp.square(x[:, :, None] - x[:, None]).sum(-1)
  near = jnp.maximum(0.0, distance - squared)
  near *= 1.0 - jnp.eye(x.shape[1])
  spread = near.mean(0).sum()
  return spread + jnp.abs(x[..., 2].mean(-1) - depth).mean()


def head_pose_loss(pose_deg: jax.Array, teacher_deg: jax.Array) -> jax.Array:
  """Sum over pitch, yaw, roll of the mean absolute error in degrees."""
  return jnp.abs(pose_deg - teacher_deg).mean(0).sum()


def deformation_prior(exp: jax.Array) -> jax.Array:
  """mean_b ||exp||_1: [B, K, 3] expressions stay small."""
  return jnp.abs(exp).sum((1, 2)).mean()


def expression_loss(
  exp: jax.Array, teacher: jax.Array, scale: jax.Array
) -> jax.Array:
  """Mean |exp - teacher| / scale over x, y (and z at a third).

  Dividing by each keypoint's own spread makes lids, which move by a hundredth
  of the picture, count as much as the chin.

  Args:
    exp: [B, K, 3].
    teacher: [B, K, 3] the same from landmarks.
    scale: [K] typical size of each keypoint's offsets.
  """
  weight = jnp.array([1.0, 1.0, 0.3])
  error = jnp.abs(exp - teacher) * weight
  return (error / jnp.asarray(scale)[:, None]).mean()


def weighted_l1(a: jax.Array, b: jax.Array, weight: jax.Array) -> jax.Array:
  """mean w |a - b| with w [B, H, W, 1] normalised to mean 1 per picture."""
  weight = weight / weight.mean((1, 2), keepdims=True)
  return (weight * jnp.abs(a - b)).mean()
