"""The shipped weights in pauses that are not quiet: the mouth stays shut."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import takin_jax
from takin_jax import face
from takin_jax.animation import idle
from takin_jax.animation.chunks import LIVE
from takin_jax.data import media
from takin_jax.infer.inputs.examples import EXAMPLE_PORTRAIT, EXAMPLE_SPEECH
from takin_jax.infer.inputs.portrait import read_portrait
from takin_jax.infer.session import Session
from takin_jax.ops.geometry import transform_keypoints

pytestmark = pytest.mark.slow

RATE = face.SAMPLE_RATE_HZ
PAUSE = np.zeros(3 * RATE, np.float32)  # before 3 s of speech, and after
SPOKEN = slice(80, 150)


@functools.cache
def pipe_and_source():
  pipe = takin_jax.load()
  portrait = read_portrait(EXAMPLE_PORTRAIT).crop(pipe.engine.size_px)
  return pipe, pipe.engine.encode_source(portrait)


def talk():
  speech = media.read_audio(EXAMPLE_SPEECH)[: 3 * RATE]
  return np.r_[PAUSE, speech, PAUSE], float(np.sqrt(np.square(speech).mean()))


def disturbed(kind, sound, loudness):
  """Hum at -43 dBFS, an offset of .03, or noise of a room at so many dB."""
  if kind == 'hum':
    time_s = np.arange(len(sound)) / RATE
    return sound + 0.01 * np.sin(2 * np.pi * 50 * time_s)
  if kind == 'offset':
    return sound + 0.03
  if kind == 'none':
    return sound
  noise = np.random.default_rng(0).standard_normal(len(sound))
  spectrum = np.fft.rfft(noise)
  spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 200))  # pink
  noise = np.fft.irfft(spectrum, len(sound))
  return sound + noise / noise.std() * loudness * 10 ** (-kind / 20)


def lip_gap(sound, whole):
  """[T] gap of the inner lips over the height of the face."""
  pipe, source = pipe_and_source()
  levels = idle.levels(sound) if whole else None
  session = Session(
    pipe.engine, source, pipe.controls, seed=0, levels_db=levels, chunks=LIVE
  )
  found = [*session.motions(sound), *session.last_motions()]
  motion = jax.tree.map(
    lambda *x: jnp.concatenate(x), *[motions for motions, _ in found]
  )
  x = np.asarray(transform_keypoints(source.kp, motion))
  height = face.gaps(x, ((face.FOREHEAD, face.CHIN),))[:, 0]
  return face.gaps(x, (face.INNER_LIPS,))[:, 0] / height


@pytest.mark.parametrize('whole', [False, True], ids=['live', 'file'])
@pytest.mark.parametrize('kind', ['none', 'hum', 'offset', 30, 25, 20])
def test_pauses_are_silent_and_speech_is_not(kind, whole):
  sound, loudness = talk()
  gap = lip_gap(np.float32(disturbed(kind, sound, loudness)), whole)
  pauses = np.r_[gap[:73], gap[170:225]]
  # Inner lips that touch are so far apart, as keypoints; read off the frames
  # it is a quarter of that.
  assert pauses.max() < 0.008
  assert gap[SPOKEN].mean() > 0.035
