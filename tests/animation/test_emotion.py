import numpy as np
import pytest

from takin_jax.animation import emotion
from takin_jax.animation.controls import Controls
from takin_jax.face import INNER_LIPS, LIDS, OUTER_LIPS


def test_an_emotion_leaves_the_opening_of_lips_to_the_speech():
  rng = np.random.default_rng(0)
  offset = rng.standard_normal(63).astype('f').reshape(21, 3)
  offset[LIDS[0], 1] = 0.1, 0.3  # opens
  offset[LIDS[1], 1] = 0.3, 0.1  # closes
  shift = np.asarray(emotion.shift(offset.reshape(-1)))

  def gap(x, pair):
    return x[pair[1], 1] - x[pair[0], 1]

  for pair in (OUTER_LIPS, INNER_LIPS, LIDS[1]):
    assert gap(shift, pair) == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(shift[[*pair]].mean(0), offset[[*pair]].mean(0))
  assert gap(shift, LIDS[0]) == pytest.approx(0.2)
  others = [0, 1, *range(10, 21)]
  np.testing.assert_array_equal(shift[others], offset[others])


@pytest.mark.parametrize('share', [0.0, 0.5])
def test_a_share_of_the_emotion_goes_over_smoothly(share):
  offset = np.zeros((21, 3), 'f')
  offset[0, 1] = 0.1  # a corner of the mouth
  neutral = np.full(63, 0.2, 'f')

  def course(vector, before, is_first):
    controls = Controls(emotion=vector).as_arrays(63)
    return emotion.course(before, is_first, neutral, controls, share, 8)

  sad = neutral + offset.reshape(-1)
  first = course(sad, np.zeros((21, 3), 'f'), True)
  assert first.shape == (8, 21, 3)
  np.testing.assert_allclose(first, np.tile(share * offset, (8, 1, 1)))
  for gone in (neutral, None):
    back = np.asarray(course(gone, first[-1], False))[:, 0, 1]
    want = share * 0.1 * (7 - np.arange(8)) / 8
    np.testing.assert_allclose(back, want, atol=1e-6)


def test_weights_without_a_neutral_face_add_nothing():
  before = np.zeros((21, 3), 'f')
  made = emotion.course(before, True, None, Controls(), 0.5, 8)
  assert made.shape == (8, 21, 3) and not made.any()
