import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax.models.denoiser import (
  Conditions,
  DenoiserConfig,
  MotionDenoiser,
  step_embedding,
)
from takin_jax.nn.conformer import ConformerConfig

B, T, P, M = 2, 6, 3, 70
CONFORMER = ConformerConfig(dim=16, layers=1, heads=2, ffn_dim=16, kernel=3)
MODEL = MotionDenoiser(DenoiserConfig(speech=CONFORMER, motion=CONFORMER))


def inputs():
  keys = iter(jax.random.split(jax.random.key(0), 5))
  return dict(
    x_t=jax.random.normal(next(keys), (B, T, M)),
    step=jnp.array([3, 900]),
    speech_states=jax.random.normal(next(keys), (4, B, 2 * T, 8)),
    emotion=jax.random.normal(next(keys), (B, 63)),
    source_kp=jax.random.normal(next(keys), (B, 63)),
    prefix=jax.random.normal(next(keys), (B, P, M)),
    prefix_mask=jnp.ones((B, P), bool),
  )


@functools.cache
def variables():
  """Parameters in which the last layer is not zero."""
  start = jax.jit(MODEL.init)(jax.random.key(1), **inputs())
  kernel = start['params']['motion_out']['kernel']
  start['params']['motion_out']['kernel'] = jax.random.normal(
    jax.random.key(2), kernel.shape
  )
  return start


@functools.partial(jax.jit, static_argnames='train')
def run(given, **options):
  rngs = {'dropout': jax.random.key(3)}
  return MODEL.apply(variables(), **given, **options, rngs=rngs)


def test_shape_gradients_and_jit():
  given = inputs()

  def loss(params):
    return jnp.square(MODEL.apply(params, **given)).mean()

  value, grads = jax.jit(jax.value_and_grad(loss))(variables())
  np.testing.assert_allclose(value, loss(variables()), rtol=1e-5)
  assert all(np.isfinite(g).all() for g in jax.tree.leaves(grads))
  out = run(given)
  assert out.shape == (B, T, M) and out.dtype == jnp.float32
  assert np.abs(run(given, train=True) - out).max() > 0  # dropout


def test_an_untrained_model_gives_zero():
  out, _ = jax.jit(MODEL.init_with_output)(jax.random.key(1), **inputs())
  np.testing.assert_array_equal(out, 0)


def test_split_in_two_gives_the_same():
  given = inputs()

  @jax.jit
  def split(states, **given):
    speech = MODEL.apply(variables(), states, method='encode_speech')
    x_t, step = given.pop('x_t'), given.pop('step')
    conditions = Conditions(speech, **given)
    out = MODEL.apply(variables(), x_t, step, conditions, method='denoise')
    return speech, out

  states = given.pop('speech_states')
  speech, out = split(states, **given)
  assert speech.shape == (B, T, 16)
  np.testing.assert_allclose(out, run(inputs()), atol=1e-5)


@pytest.mark.parametrize(
  'name', ['x_t', 'step', 'speech_states', 'emotion', 'source_kp', 'prefix']
)
def test_everything_given_matters(name):
  given = inputs()
  changed = given | {name: given[name][..., ::-1]}
  assert np.abs(run(changed) - run(given)).max() > 1e-3


@pytest.mark.parametrize(
  'name, switch',
  [
    ('speech_states', dict(drop_audio=jnp.ones(B, bool))),
    ('emotion', dict(drop_emotion=jnp.ones(B, bool))),
    ('prefix', {}),
  ],
)
def test_what_is_dropped_does_not_matter(name, switch):
  given = inputs()
  if name == 'prefix':
    given['prefix_mask'] = jnp.zeros((B, P), bool)
  changed = given | {name: 5.0 + given[name]}
  np.testing.assert_array_equal(run(changed, **switch), run(given, **switch))


def test_dropping_is_per_sample():
  drop = jnp.array([True, False])
  given = inputs()
  kept, dropped = run(given), run(given, drop_audio=drop)
  assert np.abs(kept[0] - dropped[0]).max() > 1e-3
  np.testing.assert_allclose(kept[1], dropped[1], atol=1e-6)


def test_padding_is_not_looked_at():
  """Only the one convolution sees a frame beyond the end."""
  given = inputs()
  mask = jnp.arange(T)[None] < jnp.array([[T], [3]])
  changed = given | {'x_t': given['x_t'].at[1, 3:].add(2.0)}
  out, other = (run(x, frame_mask=mask) for x in (given, changed))
  np.testing.assert_allclose(out[1, :2], other[1, :2], atol=1e-6)
  np.testing.assert_allclose(out[0], other[0], atol=1e-6)


def test_shapes_are_checked():
  given = inputs()
  with pytest.raises(ValueError, match='B T M'):
    MODEL.apply(variables(), **(given | {'x_t': given['x_t'][..., :-1]}))
  with pytest.raises(ValueError, match='T=6'):
    states = given['speech_states'][:, :, :-2]
    MODEL.apply(variables(), **(given | {'speech_states': states}))


def test_step_embedding_tells_steps_apart():
  table = step_embedding(jnp.arange(1000), 32)
  assert table.shape == (1000, 32)
  distance = np.abs(np.diff(table, axis=0)).max(-1)
  assert distance.min() > 0.1
