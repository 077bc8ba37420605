import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax import audio_to_motion, face
from tests import tiny

BATCH, FRAMES, PAST = 2, 6, 2


@functools.cache
def made():
  """Config, parameters and speech states [L + 1, 2, 16, E]."""
  config = tiny.config()
  params = jax.jit(functools.partial(audio_to_motion.init, config))(
    jax.random.key(0)
  )
  rng = np.random.default_rng(0)
  params = jax.tree.map(
    lambda x: x + 0.1 * rng.standard_normal(x.shape), params
  )
  std = np.linspace(0.5, 1.5, face.MOTION_DIM)
  params['stats'] = {'mean': np.ones(face.MOTION_DIM), 'std': std}
  samples = (PAST + FRAMES) * face.SAMPLES_PER_FRAME
  wave = rng.uniform(-0.5, 0.5, (BATCH, samples + 80)).astype('f')
  states = jax.jit(
    lambda p, x: audio_to_motion.encode_speech(config.model, p, x)
  )(params, wave)
  return config, params, wave, states


def generate(seed=0, **changed):
  config, params, _, states = made()
  prefix = config.diffusion.prefix
  context = audio_to_motion.Context(
    source_kp=np.zeros((BATCH, face.NUM_KEYPOINTS, 3), 'f'),
    emotion=np.zeros((BATCH, face.EXP_DIM), 'f'),
    has_emotion=np.ones(BATCH, bool),
    prefix=np.zeros((BATCH, prefix, face.MOTION_DIM), 'f'),
    prefix_mask=np.zeros((BATCH, prefix), bool),
  ).replace(**changed)
  run = jax.jit(functools.partial(audio_to_motion.generate, config, past=PAST))
  return run(params, states, context, jax.random.key(seed))


def test_one_motion_for_every_frame_that_is_not_past():
  x = generate()
  assert x.shape == (BATCH, FRAMES, face.MOTION_DIM)
  assert jnp.isfinite(x).all()
  np.testing.assert_array_equal(x, generate())
  assert (x != generate(seed=1)).any()


def test_without_emotion_its_numbers_do_not_matter():
  sad = np.full((BATCH, face.EXP_DIM), 0.5, 'f')
  none = np.array([False, True])
  plain, other = (
    generate(has_emotion=none),
    generate(has_emotion=none, emotion=sad),
  )
  np.testing.assert_array_equal(plain[0], other[0])
  assert (plain[1] != other[1]).any()


def test_motion_has_its_own_units():
  _, params, _, _ = made()
  vector = audio_to_motion.to_motion(params, jnp.ones(face.MOTION_DIM))
  np.testing.assert_allclose(vector, 1 + params['stats']['std'], rtol=1e-6)


def test_a_window_has_two_states_for_every_frame():
  config, params, wave, _ = made()
  sound = wave[0, : FRAMES * face.SAMPLES_PER_FRAME]
  states = audio_to_motion.encode_window(config.model, params, sound)
  assert states.shape[1:3] == (1, 2 * FRAMES)


@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_the_compute_type_reaches_both_networks(dtype):
  config, params, wave, states = made()
  model = {**config.model.to_dict(), 'dtype': dtype}
  heard = audio_to_motion.encode_speech(model, params, wave)
  mixed = audio_to_motion.mix_states(model, params, states)
  assert mixed.dtype == dtype
  assert (np.abs(heard - states).max() > 1e-4) == (dtype == 'bfloat16')


def test_what_speech_tells_linearly_is_added():
  config, params, _, states = made()
  model = {**config.model.to_dict(), 'articulation': {'frames': 3}}
  width = states.shape[-1]
  kernel = np.zeros((6, width, face.EXP_DIM), 'f')
  kernel[2:4, 0, 4] = 0.5  # of the frame's own states
  params = {
    **params,
    'articulation': {
      'conv': {'kernel': kernel, 'bias': np.zeros(face.EXP_DIM, 'f')}
    },
  }
  read = audio_to_motion.articulate(model, params, states)
  own = states[-1, :, :, 0].reshape(BATCH, PAST + FRAMES, 2).mean(-1)
  wanted = own / params['stats']['std'][4]
  np.testing.assert_allclose(read[..., 4], wanted, rtol=1e-4, atol=1e-6)
  np.testing.assert_allclose(np.delete(read, 4, -1), 0.0, atol=1e-6)
  config = config.copy_and_resolve_references()
  config.model.articulation = {'frames': 3}
  config.diffusion.articulation_gain = 2.0
  fresh = jax.eval_shape(
    functools.partial(audio_to_motion.init, config), jax.random.key(0)
  )
  assert fresh['articulation']['conv']['kernel'].shape == kernel.shape
  without = audio_to_motion.articulate(made()[0].model, params, states)
  assert without.shape == read.shape and not without.any()
