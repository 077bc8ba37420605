import jax.numpy as jnp
import numpy as np

from takin_jax.animation import idle
from takin_jax.types import Motion

KP = jnp.zeros((1, 21, 3)).at[0, 5, 1].set(0.02)  # inner lips 0.02 apart
OPEN = jnp.zeros((250, 21, 3)).at[:, 5, 1].set(0.05)
SPEECH = np.random.default_rng(0).standard_normal(50 * 640).astype('f') * 0.1


def settled(sound, close_lips=True, pose_deg=4.0):
  """Motion of 10 s of an open mouth and a turned head: gap and pose."""
  frames = len(sound) // 640
  motion = Motion(
    exp=OPEN[:frames],
    scale=jnp.ones((frames, 1)),
    t=jnp.zeros((frames, 3)),
    pose_deg=jnp.full((frames, 3), pose_deg),
  )
  _, motion = idle.settle(
    idle.first_state(), jnp.asarray(sound), motion, KP, close_lips
  )
  y = np.asarray(KP + motion.exp)[..., 1]
  return y[:, 5] - y[:, 4], np.asarray(motion.pose_deg)


def test_speech_is_left_alone():
  gap, pose = settled(np.tile(SPEECH, 5))
  np.testing.assert_allclose(gap, 0.07, atol=1e-6)
  np.testing.assert_allclose(pose, 4.0, atol=1e-6)


def test_silence_closes_the_lips_soon_and_calms_the_head_slowly():
  gap, pose = settled(np.r_[SPEECH, np.zeros(200 * 640, 'f')])
  np.testing.assert_allclose(gap[:55], 0.07, atol=1e-6)  # short pauses stay
  assert (gap[75:] < 0.015).all() and (gap >= idle.CLOSED_GAP - 1e-6).all()
  assert (np.diff(gap[50:]) <= 1e-7).all()
  np.testing.assert_allclose(pose[:70], 4.0, atol=1e-6)
  assert 3.0 < pose[100, 0] < 4.0
  assert (pose[-1] < 2.0).all()
  assert np.abs(np.diff(pose, axis=0)).max() < 0.1  # never a jerk


def test_speech_opens_them_again_at_once():
  quiet = np.zeros(50 * 640, 'f')
  gap, _ = settled(np.r_[SPEECH, quiet, SPEECH])
  assert gap[99] < 0.015
  assert (gap[108:] > 0.065).all()


def test_soft_noise_between_loud_words_is_silence():
  noise = np.random.default_rng(1).standard_normal(50 * 640).astype('f')
  gap, _ = settled(np.r_[SPEECH, 5e-4 * noise, SPEECH * 0.05])
  assert gap[99] < 0.015  # 46 dB below
  assert gap[-1] > 0.06  # soft speech, 26 dB below: still speech


def test_other_keypoints_have_no_lips_to_close():
  gap, _ = settled(np.zeros(100 * 640, 'f'), close_lips=False)
  np.testing.assert_allclose(gap, 0.07, atol=1e-6)


def test_a_closed_mouth_is_not_pulled_open():
  motion = Motion(
    exp=jnp.zeros((50, 21, 3)).at[:, 5, 1].set(-0.02),
    scale=jnp.ones((50, 1)),
    t=jnp.zeros((50, 3)),
    pose_deg=jnp.zeros((50, 3)),
  )
  sound = jnp.zeros(50 * 640)
  _, after = idle.settle(idle.first_state(), sound, motion, KP, True)
  np.testing.assert_array_equal(after.exp, motion.exp)
