import jax
import numpy as np
import pytest

from takin_jax import renderer
from takin_jax.infer import loading, stream
from takin_jax.infer.controls import Controls
from takin_jax.infer.engine import Engine, pick_device
from takin_jax.infer.errors import InputError
from takin_jax.ops.geometry import transform_keypoints

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
  got = np.asarray(engine.frame(source, motions, window - 1))
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
  state = stream.first_state(engine.diffusion, 70, 0)
  sound = next(stream.windows([np.ones(9999, 'f')], 20))[0]

  def exp(emotion):
    wish = stream.speech_controls(emotion, Controls(), 63)
    return np.asarray(engine.speech(state, sound, source, wish)[1].exp)

  assert (exp(None) != exp(np.zeros(63, np.float32))).any()
