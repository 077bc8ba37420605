import jax
from ml_collections import ConfigDict
import numpy as np
import pytest

from takin_jax.animation.controls import Controls, InferConfig


def test_compiled_programs_always_see_the_same_shapes():
  emotion = np.ones(63, np.float32)
  without, given = Controls(), Controls(emotion=emotion, pose_scale=0.5)
  a, b = (controls.as_arrays(63) for controls in (without, given))

  def shapes(tree):
    return jax.tree.map(lambda x: (np.shape(x), x.dtype), tree)

  assert shapes(a) == shapes(b)
  assert not a.has_emotion and b.has_emotion
  assert b.pose_scale == 0.5
  np.testing.assert_array_equal(b.emotion, emotion)


def test_arrays_stay_what_they_are():
  once = Controls().as_arrays(63)
  twice = once.as_arrays(63)
  jax.tree.map(np.testing.assert_array_equal, once, twice)


def test_what_suits_the_weights():
  assert InferConfig.of(ConfigDict()) == InferConfig()
  config = ConfigDict({'infer': {'max_pose_deg': 9.0}})
  assert InferConfig.of(config).max_pose_deg == 9.0
  with pytest.raises(ValueError, match='blink'):
    InferConfig.of(ConfigDict({'infer': {'blink': 1}}))


def test_folders_with_the_old_name_are_still_read():
  config = ConfigDict({'infer': {'own_keypoints': True}})
  assert InferConfig.of(config).landmark_keypoints
