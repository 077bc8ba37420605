from ml_collections import ConfigDict
import pytest

from takin_jax.animation.controls import Controls
from takin_jax.errors import InputError
from takin_jax.infer import loading


def test_blinks_need_lids_that_are_known():
  def config(**infer):
    return ConfigDict({'name': 'w', 'infer': infer})

  known = dict(landmark_keypoints=True, max_pose_deg=9.0)
  ours = config(**known, blinks_per_minute=12.0)
  assert loading.controls(ours) == Controls(
    max_pose_deg=9.0, blinks_per_minute=12.0
  )
  assert loading.controls(ours, 0.0).blinks_per_minute == 0
  assert loading.controls(config(blinks_per_minute=12.0)) == Controls()
  assert loading.controls(config(), 0.0) == Controls()
  with pytest.raises(InputError, match="'w' are lids: leave --blinks out"):
    loading.controls(config(), 5.0)
