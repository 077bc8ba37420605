"""Shapes, gradients and jit of the stage-1 modules, small and full form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax.models import appearance, generator, motion, warping
from takin_jax.types import Motion

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
def test_shapes_and_types(sizes):
  side = 64 if sizes is SMALL else 32
  image = jax.ShapeDtypeStruct((2, side, side, 3), jnp.float32)
  kp = jax.ShapeDtypeStruct((2, 21, 3), jnp.float32)
  (frame, kp_found, found), _ = jax.eval_shape(
    lambda i, k: _forward(sizes, i, k), image, kp
  )
  assert frame.shape == (2, 64, 64, 3) and frame.dtype == jnp.float32
  assert kp_found.shape == (2, 21, 3)
  assert jax.eval_shape(Motion.to_vector, found).shape == (2, 70)


def test_small_form_has_finite_gradients_and_jit_changes_nothing():
  """The full form's gradients are compared with golden values elsewhere."""
  image = jax.random.uniform(jax.random.key(1), (2, 64, 64, 3))
  kp = jax.random.uniform(jax.random.key(2), (2, 21, 3), minval=-0.5)
  (frame, _, _), variables = jax.jit(lambda i, k: _forward(SMALL, i, k))(
    image, kp
  )
  assert frame.min() >= 0 and frame.max() <= 1

  def loss(params):
    merged = [{'params': p} for p in params]
    (frame, kp_found, _), _ = _forward(SMALL, image, kp, merged)
    return frame.mean() + jnp.square(kp_found).mean()

  params = [v['params'] for v in variables]
  value, grads = jax.jit(jax.value_and_grad(loss))(params)
  np.testing.assert_allclose(loss(params), value, rtol=1e-5)
  for module in grads:
    sizes = [jnp.abs(g).max() for g in jax.tree.leaves(module)]
    assert jnp.isfinite(jnp.asarray(sizes)).all() and max(sizes) > 0


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
  np.testing.assert_allclose(
    frame['image'], frame['warped'] + frame['residual'], atol=1e-6
  )
  assert frame['flow'].shape == (1, 16, 16, 2)
  assert jnp.abs(frame['image'] - image).mean() < 0.1


def test_motion_is_read_off_quiet_surroundings():
  """The second volume hardly knows the wall; the first one does."""
  cfg = appearance.AppearanceConfig(**SMALL['appearance'], quiet=0.0)
  face = jax.random.uniform(jax.random.key(4), (1, 56, 48, 3))
  walls = [jnp.array([1.0, 0.0, 0.0]), jnp.array([0.0, 0.2, 0.9])]
  images = jnp.concatenate(
    [
      (jnp.zeros((1, 64, 64, 3)) + wall).at[:, 4:60, 8:56].set(face)
      for wall in walls
    ]
  )
  module = appearance.AppearanceExtractor(cfg)
  variables = module.init(jax.random.key(0), images)
  out = module.apply(variables, images)
  change = {k: jnp.abs(v[0] - v[1]).max() for k, v in out.items()}
  assert change['quiet'] < 0.05 * change['volume']
  assert out['quiet'].shape == out['volume'].shape


def test_usual_surroundings_are_hardly_changed():
  image = 0.5 + 0.1 * jax.random.normal(jax.random.key(5), (1, 64, 64, 1))
  image = image + jnp.array([0.03, 0.0, -0.03])  # a warm room
  quiet = appearance.quiet_surroundings(image, 0.0)
  assert jnp.abs(quiet - image).max() < 0.15
  np.testing.assert_array_equal(quiet[:, 24:40, 24:40], image[:, 24:40, 24:40])
