from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax import renderer
from takin_jax.animation.chunks import ChunkConfig
from takin_jax.animation.controls import Controls
from takin_jax.errors import InputError
from takin_jax.infer import checkpoint, executables, programs
from takin_jax.infer.device import pick_device
from takin_jax.infer.engine import Engine
from takin_jax.infer.session import Session
from takin_jax.ops.geometry import transform_keypoints
from tests.tiny import WINDOW

SPEECH = np.random.default_rng(0).uniform(-0.5, 0.5, 9 * 640).astype('f')
PORTRAIT = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
WHOLE, LIVE = ChunkConfig(chunk=WINDOW), ChunkConfig(4, 2, 10)


def test_the_compiled_frame_equals_the_plain_renderer(engine, tiny_weights):
  config, params = checkpoint.load(tiny_weights)
  source = engine.encode_source(PORTRAIT)
  image = PORTRAIT[None].astype(np.float32) / 255

  @jax.jit
  def plain(params):
    source = renderer.encode_source(config.model, params, image)
    kp = transform_keypoints(source.kp, source.motion)
    return renderer.render(config.model, params, source, kp)[0]

  want = plain(params)
  motions = jax.tree.map(lambda x: np.repeat(x, WINDOW, 0), source.motion)
  got = np.asarray(engine.render(source, motions, WINDOW - 1))[0]
  assert got.dtype == np.uint8
  assert got.shape == (64, 64, 3)
  assert np.abs(got - 255.0 * np.asarray(want)).max() < 1.0


def test_another_shape_is_an_error_not_a_compilation(engine):
  with pytest.raises(TypeError):
    engine.encode_source(PORTRAIT[:32])


def test_missing_groups_are_named(tiny_weights):
  config, params = checkpoint.load(tiny_weights)
  del params['denoiser']
  with pytest.raises(InputError, match='tiny.*denoiser'):
    Engine(config, params, jax.devices('cpu')[0]).first_state(WHOLE, 0)


def test_weights_that_do_not_fit_their_config(tiny_weights):
  config, params = checkpoint.load(tiny_weights)
  config.model.appearance.channels = (8, 8, 16)
  with pytest.raises(InputError, match='do not fit their config'):
    Engine(config, params, jax.devices('cpu')[0]).encode_source(PORTRAIT)


def test_there_is_no_such_device():
  assert pick_device('cpu').platform == 'cpu'
  assert jax.config.jax_default_device is None
  with pytest.raises(InputError, match='no device'):
    pick_device('abacus')
  with pytest.raises(InputError, match='no device'):
    pick_device('cpu:99')


def test_steps_and_guidance_replace_the_weights_own(tiny_weights):
  config, _ = checkpoint.load(tiny_weights, sample_steps=7, guidance_audio=None)
  assert config.diffusion.sample_steps == 7
  with pytest.raises(InputError, match='at most 1000'):
    checkpoint.load(tiny_weights, sample_steps=1001)


def talking(engine, chunks, emotion=None, seed=0):
  """Arguments of `generate_motion` for a chunk of noise."""
  sound = np.resize(SPEECH, chunks.sound_samples)
  controls = Controls(emotion=emotion).as_arrays(63)
  source = engine.encode_source(PORTRAIT)
  return chunks, engine.first_state(chunks, seed), sound, source, controls


def test_no_emotion_is_not_the_zero_emotion(engine):
  """Without an emotion the network hears none, whatever the numbers are."""

  def exp(emotion):
    args = talking(engine, WHOLE, emotion)
    return np.asarray(engine.generate_motion(*args)[1].exp)

  assert (exp(None) != exp(np.zeros(63, np.float32))).any()


def test_the_pure_step_equals_the_programs(engine, tiny_weights):
  """Sound to pictures in one function, as it would be exported."""
  config, params = checkpoint.load(tiny_weights)
  chunks, *args = talking(engine, LIVE)
  talk = jax.jit(lambda *args: programs.talk(config, chunks, *args))
  after, frames = talk(params, *args)
  want_state, motions = engine.generate_motion(chunks, *args)
  source = args[2]
  assert frames.shape == (chunks.chunk, 64, 64, 3)
  assert jax.tree.map(jnp.shape, after) == jax.tree.map(jnp.shape, args[0])
  np.testing.assert_allclose(after.prefix, want_state.prefix, atol=1e-4)
  for i, frame in enumerate(np.asarray(frames, int)):
    want = np.asarray(engine.render(source, motions, i), int)[0]
    assert np.abs(frame - want).max() <= 1


def test_four_sessions_at_once_equal_four_alone(engine):
  """A batch axis on state, sound, portrait and controls; two chunks."""
  happy = np.linspace(-0.01, 0.01, 63, dtype=np.float32)
  alone = [
    list(talking(engine, LIVE, emotion, seed)[1:])
    for seed, emotion in enumerate((None, happy, None, -happy))
  ]
  for i, args in enumerate(alone):
    args[1] = args[1] * (i + 1) / 4
    args[2] = jax.tree.map(lambda x, i=i: np.asarray(x) * (1 + i / 10), args[2])
    args[3] = args[3].replace(pose_scale=np.float32(i))
  together = jax.tree.map(lambda *x: np.stack(x), *alone)
  for _ in range(2):
    together[0], motions = engine.generate_motion(LIVE, *together)
    for i, args in enumerate(alone):
      args[0], want = engine.generate_motion(LIVE, *args)
      mine = jax.tree.map(lambda x, i=i: x[i], (together[0], motions))
      jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5),
        mine,
        (args[0], want),
      )


def test_frames_in_batches(engine):
  """Also where the last batch is not full."""

  def video(batch):
    source = engine.encode_source(PORTRAIT)
    session = Session(engine, source, chunks=LIVE, batch=batch)
    frames = [*session.feed(SPEECH[: 7 * 640]), *session.flush()]
    assert session.frame_count == 7
    return np.asarray(frames, int)

  got, want = video(2), video(1)
  assert got.shape == (7, 64, 64, 3)
  assert np.abs(got - want).max() <= 1


def test_a_program_is_compiled_when_it_is_asked_for(tiny_weights, tmp_path):
  """And then it is in the store, under its own facts."""
  weights, device = checkpoint.load(tiny_weights), jax.devices('cpu')[0]
  made = []
  save = executables.save

  def count(folder, name, compiled):
    made.append(name)
    save(folder, name, compiled)

  with mock.patch.object(executables, 'save', count):
    engine = Engine(*weights, device, tmp_path)
    assert made == []
    source = engine.encode_source(PORTRAIT)
    assert len(made) == 3  # kernels, motion, source
    engine.render(source, source.motion)
    assert len(made) == 4
    other = Engine(*weights, device, tmp_path)  # another run of the program
    again = other.render(other.encode_source(PORTRAIT), source.motion)
    assert len(made) == 4
    config = weights[0].copy_and_resolve_references()
    config.diffusion.sample_steps = 1  # means nothing to pictures
    Engine(config, weights[1], device, tmp_path).encode_source(PORTRAIT)
    assert len(made) == 4
    other.generate_motion(*talking(other, LIVE))
    assert len(made) == 5
  np.testing.assert_array_equal(again, engine.render(source, source.motion))


def test_damaged_programs_are_made_anew(tiny_weights, tmp_path):
  weights, device = checkpoint.load(tiny_weights), jax.devices('cpu')[0]

  def seen():
    engine = Engine(*weights, device, tmp_path)
    return np.asarray(engine.encode_source(PORTRAIT).kp)

  first = seen()
  stored = list(tmp_path.glob('*.programs'))
  for file in stored:
    file.write_bytes(file.read_bytes()[:999])
  np.testing.assert_array_equal(seen(), first)
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
