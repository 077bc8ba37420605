import numpy as np
import pytest

from takin_jax.data.faces.blendshapes import SIGNS, both_sides, strength

NAMES = ('mouthFrownLeft', 'mouthFrownRight', 'mouthLeft', 'jawOpen')


def test_sides_are_averaged_and_directions_kept():
  shapes = both_sides(NAMES, np.array([[0.2, 0.4, 0.1, 0.5], [0, 0, 0, 1]]))
  assert set(shapes) == {'mouthFrown', 'mouthLeft', 'jawOpen'}
  np.testing.assert_allclose(shapes['mouthFrown'], [0.3, 0])
  np.testing.assert_allclose(shapes['jawOpen'], [0.5, 1])


@pytest.mark.parametrize('emotion', SIGNS)
def test_frames_with_the_signs_count_most(emotion):
  shapes = {sign: np.array([0.0, 0.3, 0.6]) for sign in SIGNS[emotion]}
  weights = strength(emotion, shapes, 3)
  assert (weights > 0).all() and (np.diff(weights) > 0).all()


def test_a_smile_speaks_against_sadness_only():
  smile = np.array([0.0, 0.5])
  sad = strength('sad', {'mouthFrown': np.full(2, 0.3), 'mouthSmile': smile}, 2)
  assert sad[0] > 10 * sad[1] > 0
  happy = strength('happy', {'mouthSmile': smile}, 2)
  assert happy[1] > happy[0]


@pytest.mark.parametrize('emotion', ['proud', 'sad'])
def test_without_signs_or_blendshapes_all_frames_count_the_same(emotion):
  weights = strength(emotion, {}, 4)
  assert weights.shape == (4,) and (weights == weights[0]).all()
