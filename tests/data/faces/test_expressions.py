import numpy as np
import pytest

from takin_jax import face
from takin_jax.data.faces import blendshapes, expressions


@pytest.mark.parametrize('name', expressions.EXPRESSIONS)
def test_expressions_move_what_expresses_and_no_shape(name):
  moved = expressions.offset(name).reshape(-1, 3)
  rigid = [k for k in face.RIGID if k != face.NOSE]
  assert not moved[rigid].any() and not moved[:, 2].any()
  assert 0.01 < np.abs(moved).max() < 0.1
  mirrored = face.mirror_points(moved)
  assert np.array_equal(mirrored, moved) == (name != 'contempt')


def test_every_emotion_that_is_judged_is_there():
  assert expressions.EXPRESSIONS.keys() == blendshapes.SIGNS.keys()


def test_corners_rise_in_a_smile_and_fall_in_grief():
  corner = face.MOUTH_CORNERS[0]
  happy, sad = (
    expressions.offset(name).reshape(-1, 3)[corner] for name in ('happy', 'sad')
  )
  assert happy[0] < 0 and happy[1] < 0 < sad[1]
