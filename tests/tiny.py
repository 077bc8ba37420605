"""Every tiny model of the tests: config blocks, and weights of random numbers.

Renderers of two forms: `small_renderer` is the shipped one's, the published
one is that of the full size. A speech encoder and a denoiser; and a
weights folder with all of it.
"""

import pathlib
from typing import Any

import jax
from ml_collections import ConfigDict
import numpy as np

from takin_jax import audio_to_motion, face, renderer, weights

SIZE = 32  # pixels
WINDOW, PREFIX = 20, 4  # frames

SPEECH = dict(
  conv_dims=(8,) * 7,
  dim=8,
  layers=1,
  heads=2,
  ffn_dim=8,
  pos_kernel=4,
  pos_groups=2,
)
# With layers that differ, and widths that are no other's.
TWO_LAYER_SPEECH = SPEECH | dict(
  dim=32, layers=2, ffn_dim=48, pos_kernel=16, pos_groups=16
)
_CONFORMER = dict(dim=8, layers=1, heads=2, ffn_dim=8, kernel=3)
DENOISER = dict(speech=_CONFORMER, motion=_CONFORMER)
_WIDER = dict(dim=16, heads=2, ffn_dim=24, kernel=5)
TWO_LAYER_DENOISER = dict(
  motion_dim=20,
  speech=dict(_WIDER, layers=1),
  motion=dict(_WIDER, layers=2),
)
# As the shipped encoder: from a log-mel spectrum, positions per channel.
SPECTRUM = dict(
  mel_bands=10,
  conv_dims=(12, 16),
  conv_kernels=(3, 2),
  conv_strides=(1, 2),
  pos_groups=32,
)


def published_renderer() -> dict[str, Any]:
  """Model block: every kind of layer of the full size, few of each."""
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


def smallest_renderer() -> ConfigDict:
  """The published form, for tests that train it."""
  return ConfigDict(
    dict(
      image_size=32,
      appearance=dict(
        input_size=16,
        channels=(4, 4),
        volume_channels=2,
        depth=2,
        blocks_3d=1,
      ),
      motion=dict(
        input_size=32, num_kp=3, depths=(1, 1, 1, 1), dims=(4, 4, 4, 4)
      ),
      warping=dict(
        block_expansion=4, max_features=8, num_blocks=2, out_channels=8
      ),
      generator=dict(channels=8, middle_blocks=1, up_channels=(4,), upscale=2),
    )
  )


def small_renderer() -> dict[str, Any]:
  """Model block of the shipped renderer's form."""
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


def config() -> ConfigDict:
  """All blocks that a weights folder may have."""
  return ConfigDict(
    dict(
      name='tiny',
      model=dict(
        image_size=2 * SIZE,
        appearance=dict(
          input_size=SIZE,
          channels=(8, 8, 8),
          volume_channels=4,
          depth=2,
          blocks_2d=1,
          blocks_3d=0,
          strided=True,
          batch_norm=False,
          skip_channels=4,
        ),
        motion=dict(
          input_size=SIZE, num_points=4, widths=(8, 8, 8, 8), hidden=8
        ),
        warping=dict(compress=2, fold_depth=True, widths=(8, 8, 8)),
        generator=dict(
          channels=8, middle_blocks=1, up_channels=(8, 4), blend=True
        ),
        speech=SPEECH,
        denoiser=DENOISER,
      ),
      diffusion=dict(
        prediction='v', sample_steps=2, window=WINDOW, prefix=PREFIX
      ),
    )
  )


def save(folder: pathlib.Path) -> pathlib.Path:
  """Writes a weights folder with everything and returns it."""
  cfg, key = config(), jax.random.key(0)
  rng = np.random.default_rng(0)
  shapes = jax.eval_shape(
    lambda: renderer.init(cfg.model, key) | audio_to_motion.init(cfg, key)
  )
  groups = jax.tree_util.tree_map_with_path(
    # Norms let through what comes in.
    lambda path, x: (
      (path[-1].key == 'scale') + 0.1 * rng.standard_normal(x.shape)
    ),
    shapes,
  )
  groups['stats'] = {
    'mean': np.r_[np.zeros(face.EXP_DIM), 1.0, np.zeros(6)],
    'std': np.r_[
      np.full(face.EXP_DIM, 0.01), 0.01, np.full(3, 0.01), np.ones(3)
    ],
  }
  groups['emotions'] = {
    'neutral': np.zeros(face.EXP_DIM),
    'happy': 0.01 * rng.standard_normal(face.EXP_DIM),
  }
  weights.save(folder, cfg, groups)
  return folder
