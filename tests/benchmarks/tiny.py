"""A renderer of the published form, small enough for a test."""

from typing import Any

SIZE = 32


def model() -> dict[str, Any]:
  """Config block: every kind of layer of the full size, few of each."""
  return dict(
    image_size=2 * SIZE,
    appearance=dict(
      input_size=SIZE,
      channels=(8, 8, 16),
      volume_channels=4,
      depth=4,
      blocks_3d=2,
    ),
    motion=dict(
      input_size=SIZE, num_kp=5, depths=(1, 1, 2, 1), dims=(8, 16, 16, 24)
    ),
    warping=dict(
      compress=2,
      block_expansion=8,
      max_features=32,
      num_blocks=2,
      out_channels=16,
    ),
    generator=dict(
      channels=16, middle_blocks=2, up_channels=(16, 8), upscale=2
    ),
  )
