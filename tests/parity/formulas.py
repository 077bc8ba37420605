"""Losses and DDIM against reference values.

Each function takes the name of a case and the folder it is in.
"""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.convert import liveportrait_tables as tables
from takin_jax.convert.apply import apply, check
from takin_jax.diffusion import sampler, schedule
from takin_jax.losses import adversarial
from takin_jax.losses import motion as losses_lib
from takin_jax.models.discriminator import Discriminator, DiscriminatorConfig
from takin_jax.ops import resize
from takin_jax.ops.grid_sample import corner_grid
from takin_jax.ops.thin_plate import ThinPlate
from tests.golden import recipe
from tests.parity.layout import to_first, to_last
from tests.parity.report import Check, compare, difference

LIMIT = 2e-5


def losses(name: str, folder: Path) -> list[Check]:
  """All of `losses.npz`."""
  with np.load(folder / f'{name}.npz') as arrays:
    z = dict(arrays)
  spec = json.loads((folder / f'{name}.json').read_text())
  plate = ThinPlate(
    jnp.asarray(z['tps_theta']), jnp.asarray(z['tps_control_params'])[:, 0]
  )
  pyramid = {}
  for factor in (2, 4, 8):
    row = resize.gaussian_kernel(factor)
    pyramid[f'pyr_kernel_{1 / factor}'] = jnp.outer(row, row)
    pyramid[f'pyr_out_{1 / factor}'] = to_first(
      resize.gaussian_downsample(to_last(z['pyr_in']), factor)
    )
  points = corner_grid(5, 5)[None]
  return [
    *compare(z, {'tps_pts_out': plate(z['tps_pts'])}, LIMIT),
    *compare(z, {'tps_control_points': points}, LIMIT),
    *compare(
      z,
      {
        'tps_frame_out': to_first(
          plate.warp(to_last(z['tps_frame']), corners=True)
        )
      },
      LIMIT,
    ),
    *compare(z, pyramid, LIMIT),
    *compare(z, _adversarial(z, spec), LIMIT),
    *compare(z, _regularisers(z), LIMIT),
  ]


def _adversarial(z: Any, spec: Any) -> dict[str, Any]:
  weights = recipe.make_all(spec['disc_namespace'], spec['disc_params'])
  sizes = spec['disc_config']
  module = Discriminator(
    DiscriminatorConfig(
      sizes['block_expansion'], sizes['num_blocks'], sizes['max_features']
    )
  )
  images = {k: to_last(z[f'disc_{k}']) for k in ('real', 'fake')}
  target = jax.eval_shape(module.init, jax.random.key(0), images['real'])
  result = apply(tables.DISCRIMINATOR, weights, target)
  check('The case', result.errors)
  out, scores, features = {}, {}, {}
  for k, image in images.items():
    scores[k], features[k] = module.apply(result.variables, image)
    out[f'disc_{k}_map'] = to_first(scores[k])
    for i, feature in enumerate(features[k]):
      out[f'disc_{k}_feat{i}'] = to_first(feature)
  return {
    **out,
    'hinge_d': adversarial.discriminator_loss(**scores),
    'hinge_g': adversarial.generator_loss(scores['fake']),
    # The reference weighs each feature by 10.
    'feature_matching': 10 * adversarial.feature_matching(**features),
  }


def _regularisers(z: Any) -> dict[str, Any]:
  kp = jnp.asarray(z['kp_driving'])
  exp = jnp.asarray(z['exp']).reshape(2, -1, 3)
  # The reference's spread counts each keypoint's distance to itself.
  both = losses_lib.keypoint_prior(kp) + 0.1 * kp.shape[1]
  depth = jnp.abs(kp[..., 2].mean(-1) - 0.33).mean()
  error = jnp.asarray(z['hub_a'] - z['hub_b'])
  return {
    'kp_prior_spread': both - depth,
    'kp_prior_depth': depth,
    'deformation_prior': losses_lib.deformation_prior(exp),
    'huber_1.0': losses_lib.huber(error, 1.0).mean(),
    'huber_0.1': losses_lib.huber(error, 0.1).mean(),
  }


def ddim(name: str, folder: Path) -> list[Check]:
  """Schedules, noise and all stored trajectories."""
  with np.load(folder / f'{name}.npz') as arrays:
    z = dict(arrays)
  runs = json.loads((folder / f'{name}.json').read_text())['runs']
  checks = []
  for key in z:
    if key.startswith('alphas_cumprod/'):
      checks += _schedule(z, key.split('/')[1])
  for key, run in runs.items():
    checks += _trajectory(z, key, run['steps_stored'])
  cosine = schedule.alphas_cumprod(schedule.DiffusionConfig(schedule='cosine'))
  want = z['ditto/alphas_cumprod']
  return [*checks, Check('ditto', difference(cosine, want), 1e-4)]


SCHEDULES = {'squaredcos_cap_v2': 'cosine'}
PREDICTIONS = {'epsilon': 'eps', 'sample': 'x0', 'v_prediction': 'v'}


def _schedule(z: Any, name: str) -> list[Check]:
  cfg = schedule.DiffusionConfig(schedule=SCHEDULES.get(name, name))
  got = schedule.alphas_cumprod(cfg)
  want = z[f'alphas_cumprod/{name}']
  return [Check(f'alphas_cumprod/{name}', difference(got, want), LIMIT)]


def _trajectory(z: Any, key: str, stored: list[int]) -> list[Check]:
  name, spacing, steps, prediction, *clip = key.split('/')
  cfg = schedule.DiffusionConfig(
    schedule=SCHEDULES.get(name, name),
    spacing=spacing,
    sample_steps=int(steps),
    prediction=PREDICTIONS[prediction],
    clip=1.0 if clip else 0.0,
    recompute_eps=False,
  )
  visited, _ = schedule.timesteps(cfg.steps, cfg.sample_steps, cfg.spacing)
  alphas = jnp.asarray(schedule.alphas_cumprod(cfg))

  def predict(x: jax.Array, t: jax.Array) -> jax.Array:
    a = alphas[t]
    y = x + 0.05 * x @ z['A']
    x0 = (jnp.sqrt(a) * 0.25 * y + (1 - a) * z['b']) / (0.25 * a + 1 - a)
    eps = (y - jnp.sqrt(a) * x0) / jnp.sqrt(1 - a)
    v = jnp.sqrt(a) * eps - jnp.sqrt(1 - a) * x0
    return {'eps': eps, 'x0': x0, 'v': v}[cfg.prediction]

  path = sampler.ddim(predict, z['x_T'], cfg, trajectory=True)
  # At t = 999 of the cosine schedule 1 / sqrt(alpha) is 20,000: the size of
  # the numbers decides what rounding does.
  want = z[f'traj/{key}']
  size = max(1.0, float(np.abs(want).max()))
  path = np.asarray(path)[np.asarray(stored)]
  return [
    Check(f't/{key}', difference(visited, z[f't/{key}']), 0.5),  # integers
    Check(f'traj/{key}', difference(path, want) / size, 1e-4),
  ]
