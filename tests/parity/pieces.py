"""Functions without weights of their own: geometry, grids, norms, losses, DDIM.

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
from takin_jax.models.motion import head_pose_degrees
from takin_jax.models.stitching import Stitching, StitchingConfig
from takin_jax.nn.blocks import BatchNorm
from takin_jax.nn.convnext import GlobalResponseNorm
from takin_jax.nn.spade import instance_norm
from takin_jax.nn.spectral import SpectralConv
from takin_jax.ops import geometry, resize
from takin_jax.ops.grid_sample import (
  corner_grid,
  gaussian_1d,
  grid_sample,
  reflect,
)
from takin_jax.ops.thin_plate import ThinPlate
from takin_jax.types import Motion
from tests import golden_case
from tests.golden import recipe
from tests.parity.report import Check, compare, difference

LIMIT = 2e-5
ANGLES = ('pitch', 'yaw', 'roll')


def to_last(x: Any) -> Any:
  return jnp.moveaxis(jnp.asarray(x), 1, -1)


def to_first(x: Any) -> Any:
  return jnp.moveaxis(x, -1, 1)


def functional(name: str, folder: Path) -> list[Check]:
  """All of `functional.npz`."""
  with np.load(folder / f'{name}.npz') as arrays:
    z = dict(arrays)
  degrees = {f'degree_{a}': head_pose_degrees(z[f'logits_{a}']) for a in ANGLES}
  one_hot = jnp.where(jnp.eye(z['degree_of_bin'].size, dtype=bool), 0.0, -1e4)
  degrees['degree_of_bin'] = head_pose_degrees(one_hot)
  pose = jnp.stack([degrees[f'degree_{a}'] for a in ANGLES], -1)
  return [
    *compare(z, degrees, 2e-4),
    *compare(z, _rotations(z), LIMIT),
    *compare(z, _keypoints(z, pose), LIMIT),
    *compare(z, {'stitch_out': _stitching(z, folder)}, LIMIT),
    *compare(z, _sampling(z), LIMIT),
    *_sampling_gradients(z),
    *compare(z, _norms(z), LIMIT),
    *compare(z, _resizing(z), LIMIT),
  ]


def _rotations(z: Any) -> dict[str, Any]:
  out = {'rotation': geometry.rotation_matrix(jnp.asarray(z['angles_pyr']))}
  for i, angle in enumerate(ANGLES):
    pose = jnp.zeros((1, 3)).at[0, i].set(30.0)
    out[f'rotation_{angle}30'] = geometry.rotation_matrix(pose)
  return out


def _keypoints(z: Any, pose_deg: jax.Array) -> dict[str, Any]:
  kp = jnp.asarray(z['tk_kp']).reshape(4, 21, 3)
  motion = Motion(
    exp=jnp.asarray(z['tk_exp']).reshape(4, 21, 3),
    scale=jnp.asarray(z['tk_scale']),
    t=jnp.asarray(z['tk_t']),
    pose_deg=pose_deg,
  )
  moved = geometry.transform_keypoints(kp, motion)
  source, first, now = (
    jax.tree.map(lambda x, i=i: x[i : i + 1], motion) for i in range(3)
  )
  relative = geometry.relative_motion(source, first, now)
  degrees = jnp.stack([z[f'degree_{a}'] for a in ANGLES], -1)
  return {
    'tk_out_logits': moved,
    'tk_out_degrees': geometry.transform_keypoints(
      kp, motion.replace(pose_deg=degrees)
    ),
    'rel_R_new': geometry.rotation_matrix(relative.pose_deg),
    'rel_out': geometry.transform_keypoints(kp[:1], relative),
  }


def _stitching(z: Any, folder: Path) -> jax.Array:
  case = golden_case.load('liveportrait/mlp_stitching_full', folder)
  state = {f'retarget_shoulder.{k}': v for k, v in case.weights.items()}
  module = Stitching(StitchingConfig())
  kp = jnp.zeros((1, 21, 3))
  target = jax.eval_shape(module.init, jax.random.key(0), kp, kp)
  result = apply(tables.STITCHING, state, target)
  check('The case', result.errors)
  pair = (z['stitch_kp_source'], z['stitch_kp_driving'])
  return module.apply(result.variables, *pair)


def _sampling(z: Any) -> dict[str, Any]:
  volume, points = to_last(z['gs_vol']), jnp.asarray(z['gs_pts'])
  image, points_2d = to_last(z['gs2_img']), jnp.asarray(z['gs2_pts'])
  d, h, w = volume.shape[1:4]
  identity = jnp.broadcast_to(corner_grid(d, h, w), (2, d, h, w, 3))
  kp = jnp.asarray(z['gauss_kp'])
  fields = [
    gaussian_1d(kp[..., i], jnp.linspace(-1, 1, n), 0.01)
    for i, n in enumerate((5, 6, 4))
  ]
  return {
    'grid_3x4x5': corner_grid(3, 4, 5),
    'gauss_out_4x6x5': jnp.einsum('bkx,bky,bkz->bkzyx', *fields),
    'gs_out_ac0': to_first(grid_sample(volume, points)),
    'gs_out_ac1': to_first(grid_sample(volume, points, align_corners=True)),
    'gs_identity_quirk': to_first(grid_sample(volume, identity)),
    'gs2_out_zeros': to_first(grid_sample(image, points_2d)),
    'gs2_out_reflection': to_first(
      grid_sample(image, reflect(points_2d), border=True)
    ),
  }


def _sampling_gradients(z: Any) -> list[Check]:
  """Gradients of sum(out * w), relative to the largest one."""
  weight = recipe.make(
    'liveportrait/functional',
    'gs_cot',
    z['gs_out_ac0'].shape,
    ['affine', 0.0, 1.0],
  )
  checks = []
  for corners in (0, 1):

    def loss(volume, points, corners=bool(corners)):
      out = grid_sample(to_last(volume), points, align_corners=corners)
      return (to_first(out) * weight).sum()

    gradients = jax.grad(loss, argnums=(0, 1))(z['gs_vol'], z['gs_pts'])
    for key, got in zip(('gs_dvol', 'gs_dpts'), gradients, strict=True):
      want = z[f'{key}_ac{corners}']
      relative = difference(got, want) / np.abs(want).max()
      checks.append(Check(f'{key}_ac{corners}', relative, LIMIT))
  return checks


def _norms(z: Any) -> dict[str, Any]:
  variables = {
    'params': {'scale': z['bn_weight'], 'bias': z['bn_bias']},
    'batch_stats': {'mean': z['bn_running_mean'], 'var': z['bn_running_var']},
  }
  x, mutable = to_last(z['v3_in']), ['batch_stats']
  running = BatchNorm().apply(variables, x)
  batch, after = BatchNorm().apply(variables, x, True, mutable=mutable)
  after = after['batch_stats']
  spectral, spectral_after, v = _spectral(z)
  grn = {'gamma': z['grn_gamma'].ravel(), 'beta': z['grn_beta'].ravel()}
  return {
    'bn_eval': to_first(running),
    'bn_train': to_first(batch),
    'bn_running_mean_after': after['mean'],
    'bn_running_var_after': after['var'],
    'sn_eval_out': to_first(spectral[0]),
    'sn_train_out': to_first(spectral[1]),
    'sn_u_after': spectral_after['u'],
    'sn_v_after': v,
    'grn_out': GlobalResponseNorm().apply(
      {'params': grn}, jnp.asarray(z['grn_in'])
    ),
    'in_out': to_first(instance_norm(to_last(z['ps_in']))),
  }


def _spectral(z: Any) -> tuple[tuple[Any, Any], dict[str, Any], Any]:
  """Outputs at inference and in training; u, v after the power step."""
  kind = tables.spectral(3)
  variables = {'params': {}, 'batch_stats': {}}
  for key in ('weight_orig', 'weight_u', 'weight_v'):
    collection, name, layout = kind[key]
    variables[collection][name] = layout(z[f'sn_{key}'])
  module = SpectralConv(5, padding=0, use_bias=False)
  x = to_last(z['sn_in'])
  fixed = module.apply(variables, x)
  trained, after = module.apply(variables, x, True, mutable=['batch_stats'])
  after = after['batch_stats']
  v = after['v'].reshape(3, 3, 3).transpose(2, 0, 1).reshape(-1)
  return (fixed, trained), after, v


def _resizing(z: Any) -> dict[str, Any]:
  volume = to_last(z['v3_in'])
  return {
    'ps_out': to_first(resize.pixel_shuffle(to_last(z['ps_in']), 2)),
    'v3_up': to_first(resize.nearest_upsample(volume, 2)),
    'v3_pool': to_first(resize.avg_pool(volume, 2)),
    'near_x4': to_first(resize.nearest_upsample(to_last(z['near_in']), 4)),
  }


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
