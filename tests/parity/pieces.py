"""Functions without weights of their own: geometry, grids, norms.

`functional` takes the name of a case and the folder it is in.
"""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.convert import liveportrait_tables as tables
from takin_jax.convert.apply import apply, check
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
from takin_jax.types import Motion
from tests import golden_case
from tests.golden import recipe
from tests.parity.layout import to_first, to_last
from tests.parity.report import Check, compare, difference

LIMIT = 2e-5
ANGLES = ('pitch', 'yaw', 'roll')


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
