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


def small_model() -> dict[str, Any]:
  """Config block of the small form, like the shipped model's."""
  return dict(
    image_size=SIZE,
    appearance=dict(
      input_size=SIZE,
      patch=2,
      channels=(8, 16),
      volume_channels=4,
      depth=2,
      blocks_2d=1,
      blocks_3d=0,
      strided=True,
      batch_norm=False,
      skip_channels=4,
    ),
    motion=dict(
      input_size=SIZE // 2,
      num_kp=5,
      num_points=4,
      widths=(8, 8, 16, 16),
      hidden=16,
    ),
    warping=dict(compress=2, fold_depth=True, widths=(8, 24, 16)),
    generator=dict(
      channels=16, middle_blocks=1, up_channels=(8, 8), upscale=1, blend=True
    ),
  )


SPEECH = dict(
  conv_dims=(8,) * 7, dim=32, layers=2, heads=2, ffn_dim=48, pos_kernel=16
)
_CONFORMER = dict(dim=16, heads=2, ffn_dim=24, kernel=5)
DENOISER = dict(
  motion_dim=20,
  speech=dict(_CONFORMER, layers=1),
  motion=dict(_CONFORMER, layers=2),
)
# As the shipped encoder: from a log-mel spectrum, positions per channel.
SPECTRUM = dict(
  mel_bands=10,
  conv_dims=(12, 16),
  conv_kernels=(3, 2),
  conv_strides=(1, 2),
  pos_groups=32,
)
