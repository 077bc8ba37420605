"""Settings of the stage-1 loss, and what its terms share."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from takin_jax.config import build
from takin_jax.data.faces.geometry import LANDMARKS
from takin_jax.face import INNER_LIPS, LIDS, gaps
from takin_jax.models.motion import MotionConfig, MotionExtractor

Params = dict[str, Any]
Terms = dict[str, jax.Array]
MOUTH = (0, 1, 2, 3)
NUM_LANDMARKS = 478
# Upper and lower keypoint of the mouth and both eyes.
GAPS = (INNER_LIPS, *LIDS)


@dataclasses.dataclass(frozen=True)
class MotionLossConfig:
  """Weights and settings of the stage-1 losses; weight 0: not computed.

  Attributes:
    l1: weighted L1 of the picture, and of it at 1/2 and 1/8 size.
    warped: L1 of the warped portrait at 1/8 size (blend decoder only).
    perceptual: VGG-16 feature distance on a crop.
    perceptual_px: side of that crop; it looks at mouth, eyes or anywhere.
    pyramid: VGG-16 feature distance of the whole picture and of it at 1/2,
      1/4 and 1/8 size.
    lpips: LPIPS on a crop around the face.
    lpips_px: side of that crop.
    mouth, eyes: extra weight of these regions in the L1.
    paint: size of the residual outside mouth and eyes (blend decoder only).
    still: flow where the two pictures are the same (blend decoder only).
    lips_l1: L1 of the mouth, mostly of what lies between the lips.
    lips_lpips: LPIPS of the mouth and the skin around it.
    lips_close_up: LPIPS of the mouth alone at twice its size.
    gan: hinge loss; the patch discriminator learns only if this or the next
      is not 0.
    feature_matching: distance of the discriminator's features.
    gan_px: side of the crop that the discriminator sees, chosen like the
      perceptual one; from the picture's side on: all of it.
    landmark: keypoints to landmarks (Takin eq. 2).
    wing: wing function in it.
    landmark_indices: the chosen ones among the landmarker's 478.
    landmark_keypoints: the keypoint that each of them guides.
    canonical: canonical keypoints of one person's pictures: the two, and
      `data.others` more (Takin eq. 1).
    head_pose: degrees to the stored pose.
    deformation: size of the expression.
    keypoint_prior: spread and depth of the keypoints.
    prior_distance: squared distance from which keypoints are far enough
      apart. The paper's 0.1 is for keypoints that nothing guides: lids are
      nearer, and would lose to it.
    equivariance: keypoints under a random affine and thin-plate warp.
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
    surroundings: share of pairs whose faces are put before another background;
      if nothing is rendered, share of pictures, with `similarity`.
    colors: strength of the colour changes.
  """

  l1: float = 2.0
  warped: float = 0.0
  perceptual: float = 0.5
  perceptual_px: int = 64
  pyramid: float = 0.0
  lpips: float = 0.0
  lpips_px: int = 128
  mouth: float = 5.0
  eyes: float = 3.0
  paint: float = 0.0
  still: float = 0.0
  lips_l1: float = 0.0
  lips_lpips: float = 0.0
  lips_close_up: float = 0.0
  gan: float = 0.0
  feature_matching: float = 0.0
  gan_px: int = 64
  landmark: float = 0.0
  wing: bool = False
  landmark_indices: tuple[int, ...] = tuple(LANDMARKS.tolist())
  landmark_keypoints: tuple[int, ...] = tuple(range(len(LANDMARKS)))
  canonical: float = 0.0
  head_pose: float = 0.0
  deformation: float = 0.0
  keypoint_prior: float = 0.0
  prior_distance: float = 0.1
  equivariance: float = 0.0
  expression: float = 0.0
  expression_scale: tuple[float, ...] = ()
  gap: float = 0.0
  gap_scale: tuple[float, ...] = (0.03, 0.012, 0.012)
  positions: float = 0.0
  reenactment: float = 0.0
  teacher_share: float = 0.0
  similarity: bool = False
  surroundings: float = 0.0
  colors: float = 0.15

  def __post_init__(self):
    chosen, guided = self.landmark_indices, self.landmark_keypoints
    if len(chosen) != len(guided) or not chosen:
      raise ValueError(
        f'loss.landmark_indices has {len(chosen)} values and '
        f'loss.landmark_keypoints {len(guided)}; each landmark guides one '
        'keypoint.'
      )
    if min(*chosen, *guided) < 0 or max(chosen) >= NUM_LANDMARKS:
      raise ValueError(
        f'loss.landmark_indices are numbers from 0 to {NUM_LANDMARKS - 1} '
        'and loss.landmark_keypoints from 0.'
      )

  @property
  def renders(self) -> bool:
    """Whether pictures are made at all."""
    terms = (self.l1, self.warped, self.perceptual, self.pyramid, self.lpips)
    return any(terms) or self.paints_lips or self.judges

  @property
  def paints_lips(self) -> bool:
    """Whether the mouth is looked at on its own."""
    return bool(self.lips_l1 or self.lips_lpips or self.lips_close_up)

  @property
  def judges(self) -> bool:
    """Whether there is a discriminator."""
    return bool(self.gan or self.feature_matching)

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


def extractor(model: ConfigDict) -> MotionExtractor:
  """The motion extractor in the compute type of a model block."""
  dtype = jnp.dtype(model.get('dtype', 'float32'))
  return MotionExtractor(build(MotionConfig, model.motion), dtype)


def gap_error(
  cfg: MotionLossConfig, points: jax.Array, target: jax.Array
) -> jax.Array:
  error = gaps(points, GAPS) - gaps(target, GAPS)
  return (jnp.abs(error) / jnp.asarray(cfg.gap_scale)).mean()
