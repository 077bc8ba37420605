"""LivePortrait's correcting networks on the keypoints of a frame.

`stitch` keeps shoulders and the crop's border where they are; `open_lips` and
`open_eyes` give mouth and eyes a wanted opening. Weights without the group
`stitching` leave keypoints as they are.
Source: LivePortrait (arXiv 2407.03168), section 3.3.
"""

from typing import Any

import jax

from takin_jax.config import build
from takin_jax.models.stitching import Stitching, StitchingConfig

Params = dict[str, Any]
GROUP = 'stitching'


def stitch(
  model: Any, params: Params, kp_source: jax.Array, kp_driving: jax.Array
) -> jax.Array:
  """[B, K, 3] driving keypoints, corrected for the portrait's [B, K, 3]."""
  if GROUP not in params:
    return kp_driving
  return _apply(model, params, kp_source, kp_driving)


def open_lips(
  model: Any, params: Params, kp_source: jax.Array, ratios: jax.Array
) -> jax.Array:
  """Offsets [B, K, 3] to driving keypoints.

  Args:
    model: config block with an entry `stitching`.
    params: has the group `stitching`.
    kp_source: [B, K, 3] the portrait's keypoints.
    ratios: [B, 2] opening over width: the portrait's, the wanted one.
  """
  return _apply(model, params, kp_source, ratios, method='open_lips')


def open_eyes(
  model: Any, params: Params, kp_source: jax.Array, ratios: jax.Array
) -> jax.Array:
  """As `open_lips`; ratios: [B, 3] of the portrait's two eyes, the wanted."""
  return _apply(model, params, kp_source, ratios, method='open_eyes')


def _apply(model: Any, params: Params, *args: Any, **how: str) -> jax.Array:
  module = Stitching(build(StitchingConfig, model[GROUP]))
  return module.apply({'params': params[GROUP]}, *args, **how)
