"""Settings of the stage-1 loss, and what its terms share."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from takin_jax.losses import motion as losses

Params = dict[str, Any]
Terms = dict[str, jax.Array]
MOUTH, EYES = (0, 1, 2, 3), ((6, 7), (8, 9))
GAPS = ((4, 5), *EYES)  # upper and lower keypoint of the mouth and both eyes


@dataclasses.dataclass(frozen=True)
class MotionLossConfig:
  """Weights and settings of the stage-1 losses; weight 0: not computed.

  Attributes:
    l1: weighted L1 of the picture, and of it at 1/2 and 1/8 size.
    warped: L1 of the warped portrait at 1/8 size (blend decoder only).
    perceptual: VGG-16 feature distance on a crop.
    perceptual_px: side of that crop; it looks at mouth, eyes or anywhere.
    lpips: LPIPS on a crop around the face.
    lpips_px: side of that crop.
    mouth, eyes: extra weight of these regions in the L1.
    landmark: keypoints to landmarks (Takin eq. 2).
    wing: wing function in it.
    canonical: canonical keypoints of the two pictures (Takin eq. 1).
    head_pose: degrees to the stored pose.
    deformation: size of the expression.
    keypoint_prior: spread and depth of the keypoints.
    equivariance: keypoints under a random similarity of the picture.
    expression: all of the motion to the landmarker's, by its own spread.
    expression_scale: [K] typical size of each keypoint's expression.
    gap: openings of mouth and eyes to the landmarker's.
    gap_scale: typical size of the openings' changes.
    positions: the extractor's first heat maps to the landmarks.
    reenactment: the extractor reads the same keypoints off the made frame as
      off the driving picture; it does not learn from this.
    teacher_share: share of pairs rendered from the landmarker's keypoints.
    similarity: scale, roll and shift pictures seen by the motion extractor
      (only while nothing is rendered).
    colors: strength of the colour changes.
  """

  l1: float = 2.0
  warped: float = 0.0
  perceptual: float = 0.5
  perceptual_px: int = 64
  lpips: float = 0.0
  lpips_px: int = 128
  mouth: float = 5.0
  eyes: float = 3.0
  landmark: float = 0.0
  wing: bool = False
  canonical: float = 0.0
  head_pose: float = 0.0
  deformation: float = 0.0
  keypoint_prior: float = 0.0
  equivariance: float = 0.0
  expression: float = 0.0
  expression_scale: tuple[float, ...] = ()
  gap: float = 0.0
  gap_scale: tuple[float, ...] = (0.03, 0.012, 0.012)
  positions: float = 0.0
  reenactment: float = 0.0
  teacher_share: float = 0.0
  similarity: bool = False
  colors: float = 0.15

  @property
  def renders(self) -> bool:
    """Whether pictures are made at all."""
    return any((self.l1, self.warped, self.perceptual, self.lpips))

  @property
  def extracts(self) -> bool:
    """Whether the motion extractor runs."""
    return any(
      (
        *(self.landmark, self.canonical, self.head_pose, self.deformation),
        *(self.keypoint_prior, self.equivariance, self.expression),
        *(self.gap, self.positions),
        self.renders and self.teacher_share < 1.0,
      )
    )


def weighted(cfg: MotionLossConfig, **values: Any) -> Terms:
  """Calls and weighs the terms whose weight is not 0."""
  weights = {name: getattr(cfg, name) for name in values}
  return {k: weights[k] * f() for k, f in values.items() if weights[k]}


def gap_error(
  cfg: MotionLossConfig, points: jax.Array, target: jax.Array
) -> jax.Array:
  error = losses.gaps(points, GAPS) - losses.gaps(target, GAPS)
  return (jnp.abs(error) / jnp.asarray(cfg.gap_scale)).mean()
