import numpy as np
import pytest

from takin_jax import weights
from takin_jax.errors import InputError
from takin_jax.infer.inputs.emotion import HeardEmotion, certainty
from takin_jax.models.emotion_reader import GROUP

FEATURES = 2 * 8  # states of both layers


def reader(happy_bias):
  parts = {'happy': happy_bias, 'neutral': 0.0, 'unknown': 0.0}
  return {
    name: {'kernel': np.zeros(FEATURES), 'bias': np.array(bias)}
    for name, bias in parts.items()
  }


@pytest.mark.parametrize('seconds', [0.1, 5.0])
def test_the_emotion_is_what_the_sound_sounds_like(tiny_weights, seconds):
  config, params = weights.load(tiny_weights)
  known = params['emotions']
  sound = np.ones(int(16_000 * seconds), 'f')

  def found(bias, scale=1.0):
    read = HeardEmotion(config, {**params, GROUP: reader(bias)}, scale)
    return read(0.0, sound)

  np.testing.assert_allclose(found(30.0), known['happy'], atol=1e-6)
  np.testing.assert_allclose(found(30.0, 2.0), 2 * known['happy'], atol=1e-6)
  np.testing.assert_allclose(found(-30.0), known['neutral'], atol=1e-6)
  unsure = np.linalg.norm(found(1.0)) / np.linalg.norm(known['happy'])
  assert 0 < unsure < 0.5
  np.testing.assert_allclose(found(0.0), known['neutral'], atol=1e-6)


def test_certainty():
  assert certainty({'a': 0.5, 'b': 0.5}) == pytest.approx(0)
  assert certainty({'a': 1.0, 'b': 0.0}) == pytest.approx(1, abs=1e-6)
  assert certainty({'a': 1.0}) == 0


def test_weights_that_cannot_tell_say_so(pipe):
  with pytest.raises(InputError, match='cannot tell emotions') as error:
    pipe.emotion('auto')
  assert 'happy, neutral' in str(error.value)
  assert 'takin_jax.train.release.emotions' in str(error.value)


def test_auto_speaks(tiny_weights, pipe, portrait, speech):
  config, params = weights.load(tiny_weights)
  pipe.params = {**params, GROUP: reader(2.0)}
  assert callable(pipe.emotion('auto'))
  clip = pipe.speak(portrait, speech, emotion='auto', crop='none')
  assert len(list(clip)) == clip.frame_count == 38
  del params['speech']
  with pytest.raises(InputError, match='cannot tell'):
    HeardEmotion(config, {**params, GROUP: reader(2.0)})
