"""The mouth painter: what it may touch, and what it promises."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax.models import mouth

CFG = mouth.MouthConfig(widths=(8, 8, 8, 8), hidden=16, texture_channels=2)
SIDE = 256


def _keypoints(gap: float) -> jax.Array:
  """[1, 21, 3] a face in the middle, with lips so far apart."""
  x = np.zeros((21, 3), np.float32)
  x[:6, 1] = 0.3
  x[0, 0], x[1, 0] = -0.17, 0.17
  x[2, 1], x[4, 1] = 0.25, 0.3 - gap / 2
  x[5, 1], x[3, 1] = 0.3 + gap / 2, 0.37 + gap / 2
  x[12, :2], x[13, :2] = (-0.35, -0.25), (0.35, -0.25)
  x[16] = (0.0, 0.0, -0.4)
  x[17, 1] = 0.6 + 0.65 * gap
  x[18, :2], x[19, :2], x[20, :2] = (-0.5, 0.0), (0.5, 0.0), (0.0, -0.6)
  return jnp.asarray(x[None])


@pytest.fixture(scope='module')
def made():
  keys = jax.random.split(jax.random.key(0), 3)
  image = jax.random.uniform(keys[0], (1, SIDE, SIDE, 3))
  residual = 0.1 * jax.random.normal(keys[1], image.shape)
  painter = mouth.MouthPainter(CFG)
  args = (image, 0.5 * image, residual, _keypoints(0.0), _keypoints(0.1))
  variables = jax.jit(painter.init)(keys[2], *args)
  return args, variables, jax.jit(painter.apply)(variables, *args)


def test_the_picture_is_what_its_layers_say(made):
  (_, warped, _, _, _), _, out = made
  np.testing.assert_allclose(out['image'], warped + out['residual'], atol=1e-6)
  assert out['inside'].shape == (1, SIDE, SIDE, 1)
  assert 0.9 < out['inside'].max() <= 1


def test_nothing_outside_the_window_is_touched(made):
  (_, warped, residual, _, _), _, out = made
  same = np.array(out['image'] == warped + residual).all(-1)[0]
  assert same[:120].all() and same[:, :80].all() and same[:, 176:].all()
  assert not same[150:180, 110:146].any()


def test_the_mask_is_known_at_any_size(made):
  (_, _, _, _, kp), _, out = made
  again = mouth.inside_mask(kp, SIDE, CFG)
  np.testing.assert_allclose(again, out['inside'], atol=1e-4)
  large = mouth.inside_mask(kp, 2 * SIDE, CFG)
  reduced = large.reshape(1, SIDE, 2, SIDE, 2, 1).mean((2, 4))
  np.testing.assert_allclose(reduced, again, atol=0.02)


def test_shut_lips_leave_nothing_to_paint():
  shut, open_ = (
    mouth.inside_mask(_keypoints(gap), SIDE, CFG).sum() for gap in (0.0, 0.1)
  )
  assert shut < 0.2 * open_


def test_all_parameters_learn(made):
  args, variables, _ = made
  target = jnp.zeros((1, SIDE, SIDE, 3))

  @jax.jit
  @functools.partial(jax.grad)
  def grads(variables):
    out = mouth.MouthPainter(CFG).apply(variables, *args)
    return jnp.square(out['image'] - target).mean()

  sizes = [jnp.abs(g).max() for g in jax.tree.leaves(grads(variables))]
  assert jnp.isfinite(jnp.asarray(sizes)).all() and min(sizes) > 0


def test_a_grey_portrait_gets_a_grey_mouth(made):
  (image, _, _, *kp), variables, _ = made
  grey = jnp.broadcast_to(image.mean(-1, keepdims=True), image.shape)
  args = (grey, 0.5 * grey, jnp.zeros_like(grey), *kp)
  out = jax.jit(mouth.MouthPainter(CFG).apply)(variables, *args)['image']
  np.testing.assert_allclose(
    out, jnp.broadcast_to(out[..., :1], out.shape), atol=1e-5
  )
