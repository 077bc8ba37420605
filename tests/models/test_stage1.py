"""Shapes, gradients and jit of the stage-1 modules, small and full form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax.models import appearance, generator, motion, warping

FULL = dict(
  appearance=dict(
    input_size=32, channels=(4, 8, 16), volume_channels=4, depth=2, blocks_3d=1
  ),
  motion=dict(input_size=32, depths=(1, 1, 1, 1), dims=(4, 8, 8, 16)),
  warping=dict(
    block_expansion=4, max_features=16, num_blocks=2, out_channels=8
  ),
  generator=dict(channels=16, middle_blocks=1, up_channels=(8, 4)),
)
SMALL = dict(
  appearance=dict(
    input_size=64,
    patch=4,
    channels=(8, 16),
    volume_channels=4,
    depth=2,
    blocks_2d=1,
    blocks_3d=0,
    strided=True,
    batch_norm=False,
    skip_channels=4,
  ),
  motion=dict(input_size=32, num_points=24, widths=(8, 8, 16, 16), hidden=16),
  warping=dict(fold_depth=True, widths=(8, 16, 16)),
  generator=dict(
    channels=16, middle_blocks=1, up_channels=(8, 4), blend=True, kp_hidden=8
  ),
)


def _modules(sizes):
  return (
    appearance.AppearanceExtractor(
      appearance.AppearanceConfig(**sizes['appearance'])
    ),
    motion.MotionExtractor(motion.MotionConfig(**sizes['motion'])),
    warping.WarpingModule(warping.WarpingConfig(**sizes['warping'])),
    generator.Generator(generator.GeneratorConfig(**sizes['generator'])),
  )


def _forward(sizes, image, kp_driving, variables=None):
  """All four modules; initialises those whose variables are missing."""
  extract, move, warp, paint = _modules(sizes)
  keys = jax.random.split(jax.random.key(0), 4)
  used = variables or [None] * 4

  def call(i, module, *args):
    if variables:
      return module.apply(used[i], *args)
    out, used[i] = module.init_with_output(keys[i], *args)
    return out

  features = call(0, extract, image)
  kp, found = call(1, move, image)
  warped = call(2, warp, features, kp, kp_driving)
  frame = call(3, paint, warped, image, kp, kp_driving)
  return (frame['image'], kp, found), used


@pytest.mark.parametrize('sizes', [FULL, SMALL], ids=['full', 'small'])
def test_shapes_gradients_and_jit(sizes):
  side = 64 if sizes is SMALL else 32
  image = jax.random.uniform(jax.random.key(1), (2, side, side, 3))
  kp = jax.random.uniform(jax.random.key(2), (2, 21, 3), minval=-0.5)
  (frame, kp_found, found), variables = jax.jit(
    lambda i, k: _forward(sizes, i, k)
  )(image, kp)
  assert frame.shape == (2, 64, 64, 3) and frame.dtype == jnp.float32
  assert frame.min() >= 0 and frame.max() <= 1
  assert kp_found.shape == (2, 21, 3)
  assert found.to_vector().shape == (2, 70)

  def loss(params):
    merged = [
      {**v, 'params': p} for v, p in zip(variables, params, strict=True)
    ]
    (frame, kp_found, _), _ = _forward(sizes, image, kp, merged)
    return frame.mean() + jnp.square(kp_found).mean()

  params = [v['params'] for v in variables]
  grads = jax.jit(jax.grad(loss))(params)
  for leaf in jax.tree.leaves(grads):
    assert jnp.isfinite(leaf).all()
  for module in (grads[0], grads[2], grads[3]):
    assert max(jnp.abs(g).max() for g in jax.tree.leaves(module)) > 0
  np.testing.assert_allclose(loss(params), jax.jit(loss)(params), rtol=1e-5)


def test_heat_map_positions_follow_a_peak():
  logits = jnp.full((1, 8, 8, 1), -30.0).at[0, 2, 5, 0].set(30.0)
  np.testing.assert_allclose(
    motion.spatial_softmax(logits)[0, 0], [0.375, -0.375], atol=1e-5
  )


def test_head_pose_bins():
  logits = jnp.full((66,), -100.0).at[40].set(100.0)
  np.testing.assert_allclose(
    motion.head_pose_degrees(logits), 3 * 40 - 97.5, atol=1e-3
  )


def test_small_form_starts_as_the_portrait_itself():
  """Without motion, the untrained blend is close to the source."""
  image = jax.random.uniform(jax.random.key(3), (1, 8, 8, 3))
  image = jax.image.resize(image, (1, 64, 64, 3), 'linear')
  kp = jnp.zeros((1, 21, 3))
  extract, _, warp, paint = _modules(SMALL)
  key = jax.random.key(0)
  features, _ = extract.init_with_output(key, image)
  warped, _ = warp.init_with_output(key, features, kp, kp)
  frame, _ = paint.init_with_output(key, warped, image, kp, kp)
  np.testing.assert_allclose(frame['warped'], image, atol=0.05)
  assert jnp.abs(frame['image'] - image).mean() < 0.1
