import numpy as np

from takin_jax.animation import idle
from takin_jax.face import SAMPLES_PER_FRAME
from takin_jax.infer.inputs.speech import read_speech

RNG = np.random.default_rng(0)
SOUND = np.clip(0.1 * RNG.standard_normal(9 * 640 + 1), -1, 1).astype('f')


def test_a_recording_brings_the_levels_of_all_its_frames():
  speech = read_speech(SOUND)
  assert speech.frame_count == 10 == len(speech.levels_db)
  np.testing.assert_allclose(speech.levels_db[:9], -20, atol=1)
  heard = np.concatenate(list(speech.heard()))
  np.testing.assert_array_equal(speech.levels_db, idle.levels(heard))
  assert len(SOUND) > 9 * SAMPLES_PER_FRAME


def test_a_file_is_as_loud_as_its_samples(speech):
  read = read_speech(speech)
  heard = np.concatenate(list(read.heard()))
  np.testing.assert_allclose(read.levels_db, idle.levels(heard), atol=1e-4)
  assert read.frame_count == -(-len(heard) // SAMPLES_PER_FRAME)
