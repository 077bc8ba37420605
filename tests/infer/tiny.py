"""A weights folder of the smallest size, with random parameters."""

import pathlib

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict
import numpy as np

from takin_jax import weights
from takin_jax.config import build
from takin_jax.models.appearance import AppearanceConfig, AppearanceExtractor
from takin_jax.models.denoiser import DenoiserConfig, MotionDenoiser
from takin_jax.models.generator import Generator, GeneratorConfig
from takin_jax.models.hubert import Hubert, HubertConfig
from takin_jax.models.motion import MotionConfig, MotionExtractor
from takin_jax.models.warping import WarpingConfig, WarpingModule

WINDOW, PREFIX = 20, 4
KEYPOINTS = 21


def config() -> ConfigDict:
  """All blocks that a weights folder may have."""
  conformer = dict(dim=8, layers=1, heads=2, ffn_dim=8, kernel=3)
  return ConfigDict(
    dict(
      name='tiny',
      model=dict(
        image_size=64,
        appearance=dict(
          input_size=32,
          channels=(8, 8, 8),
          volume_channels=4,
          depth=2,
          blocks_2d=1,
          blocks_3d=0,
          strided=True,
          batch_norm=False,
          skip_channels=4,
        ),
        motion=dict(input_size=32, num_points=4, widths=(8, 8, 8, 8), hidden=8),
        warping=dict(compress=2, fold_depth=True, widths=(8, 8, 8)),
        generator=dict(
          channels=8, middle_blocks=1, up_channels=(8, 4), blend=True
        ),
        speech=dict(
          conv_dims=(8,) * 7,
          dim=8,
          layers=1,
          heads=2,
          ffn_dim=8,
          pos_kernel=4,
          pos_groups=2,
        ),
        denoiser=dict(speech=conformer, motion=conformer),
      ),
      diffusion=dict(
        prediction='v', sample_steps=2, window=WINDOW, prefix=PREFIX
      ),
    )
  )


def shapes(model: ConfigDict) -> dict:
  """Shapes of the parameters of every group."""
  image = jnp.zeros((1, model.image_size, model.image_size, 3))
  kp = jnp.zeros((1, KEYPOINTS, 3))
  motion = jnp.zeros((1, WINDOW, 3 * KEYPOINTS + 7))
  flat = jnp.zeros((1, 3 * KEYPOINTS))
  none = jnp.zeros(1, bool)
  groups = {}

  def init(name, module, *inputs):
    outputs, variables = module.init_with_output(jax.random.key(0), *inputs)
    groups[name] = variables['params']
    return outputs

  appearance = build(AppearanceConfig, model.appearance)
  features = init('appearance', AppearanceExtractor(appearance), image)
  init('motion', MotionExtractor(build(MotionConfig, model.motion)), image)
  warping = WarpingModule(build(WarpingConfig, model.warping))
  warped = init('warping', warping, features, kp, kp)
  generator = Generator(build(GeneratorConfig, model.generator))
  init('generator', generator, warped, image, kp, kp)
  wave = jnp.zeros((1, 2 * WINDOW * 320 + 80))
  states = init('speech', Hubert(build(HubertConfig, model.speech)), wave)
  denoiser = MotionDenoiser(build(DenoiserConfig, model.denoiser))
  prefix, mask = motion[:, :PREFIX], jnp.zeros((1, PREFIX), bool)
  step = jnp.zeros(1, jnp.int32)
  init(
    'denoiser',
    denoiser,
    motion,
    step,
    states,
    flat,
    flat,
    prefix,
    mask,
    none,
    none,
  )
  return groups


def save(folder: pathlib.Path) -> pathlib.Path:
  """Writes the folder and returns it."""
  cfg = config()
  rng = np.random.default_rng(0)
  size = 3 * KEYPOINTS
  groups = jax.tree_util.tree_map_with_path(
    # Norms let through what comes in.
    lambda path, x: (
      (path[-1].key == 'scale') + 0.1 * rng.standard_normal(x.shape)
    ),
    jax.eval_shape(lambda: shapes(cfg.model)),
  )
  groups['stats'] = {
    'mean': np.r_[np.zeros(size), 1.0, np.zeros(6)],
    'std': np.r_[np.full(size, 0.01), 0.01, np.full(3, 0.01), np.ones(3)],
  }
  groups['emotions'] = {
    'neutral': np.zeros(size),
    'happy': 0.01 * rng.standard_normal(size),
  }
  weights.save(folder, cfg, groups)
  return folder
