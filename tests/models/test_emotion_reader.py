import jax
import numpy as np

from takin_jax.models import emotion_reader


def test_features_are_means_of_every_layer():
  states = np.random.default_rng(0).normal(size=(3, 2, 10, 4)).astype('f')
  found = jax.jit(emotion_reader.features)(states)
  assert found.shape == (2, 12)
  np.testing.assert_allclose(found[1, 4:8], states[1, 1].mean(0), rtol=1e-4)


def test_probabilities_sum_to_one_and_follow_the_scores():
  reader = {
    'sad': {'kernel': np.array([-1.0, 0.0]), 'bias': np.array(0.0)},
    'happy': {'kernel': np.array([1.0, 0.0]), 'bias': np.array(0.5)},
  }
  heard = np.array([[3.0, 9.0], [-3.0, 9.0]])
  found = emotion_reader.probabilities(reader, heard)
  np.testing.assert_allclose(sum(found.values()), 1, rtol=1e-6)
  odds = np.log(found['happy'] / found['sad'])
  np.testing.assert_allclose(odds, 2 * heard[:, 0] + 0.5, rtol=1e-4)
