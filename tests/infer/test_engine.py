import functools
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax import renderer
from takin_jax.animation.controls import Controls
from takin_jax.errors import InputError
from takin_jax.infer import engine as engine_lib
from takin_jax.infer import executables, loading, programs
from takin_jax.infer.engine import Engine, pick_device
from takin_jax.infer.session import Session
from takin_jax.ops.geometry import transform_keypoints

SPEECH = np.random.default_rng(0).uniform(-0.5, 0.5, 9 * 640).astype('f')
PORTRAIT = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)


def test_the_compiled_frame_equals_the_plain_renderer(engine, tiny_weights):
  config, params = loading.load(tiny_weights)
  source = engine.source(PORTRAIT)
  image = PORTRAIT[None].astype(np.float32) / 255

  @jax.jit
  def plain(params):
    source = renderer.encode_source(config.model, params, image)
    kp = transform_keypoints(source.kp, source.motion)
    return renderer.render(config.model, params, source, kp)[0]

  want = plain(params)
  window = engine.diffusion.window
  motions = jax.tree.map(lambda x: np.repeat(x, window, 0), source.motion)
  got = np.asarray(engine.frames(source, motions, window - 1))[0]
  assert got.dtype == np.uint8
  assert got.shape == (64, 64, 3)
  assert np.abs(got - 255.0 * np.asarray(want)).max() < 1.0


def test_another_shape_is_an_error_not_a_compilation(engine):
  with pytest.raises(TypeError):
    engine.source(PORTRAIT[:32])


def test_missing_groups_are_named(tiny_weights):
  config, params = loading.load(tiny_weights)
  del params['denoiser']
  with pytest.raises(InputError, match='tiny.*denoiser'):
    Engine(config, params, jax.devices('cpu')[0])


def test_weights_that_do_not_fit_their_config(tiny_weights):
  config, params = loading.load(tiny_weights)
  config.model.appearance.channels = (8, 8, 16)
  with pytest.raises(InputError, match='do not fit their config'):
    Engine(config, params, jax.devices('cpu')[0])


def test_there_is_no_such_device():
  assert pick_device('cpu').platform == 'cpu'
  with pytest.raises(InputError, match='no device'):
    pick_device('abacus')
  with pytest.raises(InputError, match='no device'):
    pick_device('cpu:99')


def test_steps_and_guidance_replace_the_weights_own(tiny_weights):
  config, _ = loading.load(tiny_weights, sample_steps=7, guidance_audio=None)
  assert config.diffusion.sample_steps == 7
  with pytest.raises(InputError, match='at most 1000'):
    loading.load(tiny_weights, sample_steps=1001)


def test_no_emotion_is_not_the_zero_emotion(engine):
  """Without an emotion the network hears none, whatever the numbers are."""
  source = engine.source(PORTRAIT)
  state = engine.first_state(0)
  sound = np.ones(engine.plan.sound_samples, np.float32)

  def exp(emotion):
    wish = Controls(emotion=emotion).as_arrays(63)
    return np.asarray(engine.speech(state, sound, source, wish)[1].exp)

  assert (exp(None) != exp(np.zeros(63, np.float32))).any()


def test_the_pure_step_equals_the_programs(live_engine, tiny_weights):
  """Sound to pictures in one function, as one would serve many sessions."""
  config, params = loading.load(tiny_weights)
  plan = live_engine.plan
  source = live_engine.source(PORTRAIT)
  state = live_engine.first_state(0)
  sound = SPEECH[: plan.sound_samples]
  wish = Controls().as_arrays(63)
  after, frames = jax.jit(functools.partial(programs.step, config, plan))(
    params, state, sound, source, wish
  )
  want_state, motions = live_engine.speech(state, sound, source, wish)
  assert frames.shape == (plan.chunk, 64, 64, 3)
  assert jax.tree.map(jnp.shape, after) == jax.tree.map(jnp.shape, state)
  np.testing.assert_allclose(after.prefix, want_state.prefix, atol=1e-4)
  for i, frame in enumerate(np.asarray(frames, int)):
    want = np.asarray(live_engine.frames(source, motions, i), int)[0]
    assert np.abs(frame - want).max() <= 1


def test_frames_in_batches(live_engine, tiny_weights):
  """Also where the last batch is not full."""
  device = jax.devices('cpu')[0]
  config, params = loading.load(tiny_weights)
  batched = Engine(config, params, device, plan=live_engine.plan, batch=2)

  def video(engine):
    source = engine.source(PORTRAIT)
    wish = Controls().as_arrays(63)
    session = Session(engine, source, wish)
    parts = [*session.feed(SPEECH[: 7 * 640]), *session.flush()]
    assert session.frames == 7
    return np.concatenate([np.asarray(part, int) for part in parts])

  got, want = video(batched), video(live_engine)
  assert got.shape == (7, 64, 64, 3)
  assert np.abs(got - want).max() <= 1


def test_stored_programs_start_and_give_the_same(tiny_weights, tmp_path):
  config, params = loading.load(tiny_weights)
  device = jax.devices('cpu')[0]

  def make(seed=0):
    engine = Engine(config, params, device, store=tmp_path)
    sound = np.zeros(engine.plan.sound_samples, np.float32)
    wish = Controls().as_arrays(63)
    source = engine.source(PORTRAIT)
    state = engine.first_state(seed)
    return np.asarray(engine.speech(state, sound, source, wish)[1].exp)

  first = make()
  stored = list(tmp_path.glob('*.programs'))
  with mock.patch.object(engine_lib, '_compile', side_effect=AssertionError):
    np.testing.assert_array_equal(make(), first)
  for file in stored:
    file.write_bytes(file.read_bytes()[:999])
  np.testing.assert_array_equal(make(), first)  # made anew
  assert stored and all(file.stat().st_size > 999 for file in stored)


def test_stored_programs_belong_to_their_config(tiny_weights, tmp_path):
  device = jax.devices('cpu')[0]
  keys = {
    executables.key(device, steps, shape)
    for steps in (1, 2)
    for shape in ('a', 'b')
  }
  assert len(keys) == 4
  assert executables.load(tmp_path, keys.pop(), device) is None
