import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax import face
from takin_jax.animation import idle, openings
from takin_jax.types import Motion

KP = jnp.zeros((1, 21, 3)).at[0, 5, 1].set(0.02)  # inner lips 0.02 apart
RNG = np.random.default_rng(0)
NOISE = RNG.standard_normal(250 * 640).astype('f')
# Syllables: a soft frame in eight.
SYLLABLES = np.repeat(np.where(np.arange(50) % 8 == 7, 0.003, 0.1), 640)
SPEECH = (SYLLABLES * RNG.standard_normal(50 * 640)).astype('f')
QUIET = np.zeros(100 * 640, 'f')
TALK = np.r_[QUIET, SPEECH, QUIET]  # 4 s, 2 s, 4 s
TIME_S = np.arange(len(TALK), dtype='f') / face.SAMPLE_RATE_HZ


def settled(sound, close_lips=True, pose_deg=4.0, levels=None):
  """Motion of an open mouth and a turned head: gap and pose."""
  frames = len(sound) // 640
  motion = Motion(
    exp=jnp.zeros((frames, 21, 3)).at[:, 5, 1].set(0.05),
    scale=jnp.ones((frames, 1)),
    t=jnp.zeros((frames, 3)),
    pose_deg=jnp.full((frames, 3), pose_deg),
  )
  _, motion = SETTLE(
    idle.first_state(levels), jnp.asarray(sound), motion, KP, close_lips
  )
  y = np.asarray(KP + motion.exp)[..., 1]
  return y[:, 5] - y[:, 4], np.asarray(motion.pose_deg)


SETTLE = jax.jit(idle.settle, static_argnums=4)


def test_everything_starts_silent():
  """The mouth is shut until somebody speaks, and open at once then."""
  for levels in (None, idle.levels(TALK)):
    gap, pose = settled(TALK, levels=levels)
    np.testing.assert_allclose(gap[:90], openings.CLOSED_LIPS, atol=1e-6)
    assert (pose[:90] < 2.0).all()
    assert gap[100] > 0.05 and (gap[103:150] > 0.065).all()


def test_speech_is_left_alone():
  gap, pose = settled(np.tile(SPEECH, 5))
  np.testing.assert_allclose(gap[15:], 0.07, atol=1e-4)
  np.testing.assert_allclose(pose[80:], 4.0, atol=1e-2)
  assert np.abs(np.diff(pose, axis=0)).max() < 0.3  # the head wakes slowly


def test_silence_closes_the_lips_soon_and_calms_the_head_slowly():
  gap, pose = settled(np.r_[SPEECH, np.zeros(200 * 640, 'f')])
  np.testing.assert_allclose(gap[20:55], 0.07, atol=1e-4)  # short pauses stay
  assert (gap[75:] < 0.015).all() and (gap >= openings.CLOSED_LIPS - 1e-6).all()
  assert (np.diff(gap[50:]) <= 1e-7).all()
  np.testing.assert_allclose(pose[48:70], 4.0, atol=0.03)
  assert 3.0 < pose[100, 0] < 4.0
  assert (pose[-1] < 2.0).all()
  assert np.abs(np.diff(pose[40:], axis=0)).max() < 0.1  # never a jerk


def test_speech_opens_them_again_at_once():
  quiet = np.zeros(50 * 640, 'f')
  gap, _ = settled(np.r_[SPEECH, quiet, SPEECH])
  assert gap[97] < 0.015
  assert (gap[104:] > 0.065).all()


def test_soft_noise_between_loud_words_is_silence():
  noise = 5e-4 * NOISE[: 50 * 640]
  gap, _ = settled(np.r_[SPEECH, noise, SPEECH * 0.05])
  assert gap[97] < 0.015  # 46 dB below
  assert gap[-1] > 0.06  # soft speech, 26 dB below: still speech


def coloured(power):
  """Noise whose power falls with frequency: 0 white, 1 pink, 2 brown."""
  spectrum = np.fft.rfft(NOISE)
  hz = np.maximum(np.fft.rfftfreq(len(NOISE), 1 / 16_000), 30.0)
  noise = np.fft.irfft(spectrum * hz ** (-power / 2)).astype('f')
  return noise / noise.std()


@pytest.mark.parametrize('whole', [False, True], ids=['live', 'file'])
@pytest.mark.parametrize('snr_db', [20, 25, 30])
@pytest.mark.parametrize('power', [0, 1, 2])
def test_the_noise_of_a_room_is_silence(power, snr_db, whole):
  sound = TALK + 0.1 * 10 ** (-snr_db / 20) * coloured(power)
  gap, _ = settled(sound, levels=idle.levels(sound) if whole else None)
  pauses = np.r_[gap[:95], gap[170:]]
  np.testing.assert_allclose(pauses, openings.CLOSED_LIPS, atol=2e-3)
  assert (gap[105:150] > 0.065).all()


@pytest.mark.parametrize('whole', [False, True], ids=['live', 'file'])
@pytest.mark.parametrize('hz', [0, 50, 60])
def test_hum_and_offset_are_not_heard(hz, whole):
  """At -43 dBFS, as loud as soft speech; an offset of .03."""
  hum = 0.03 if hz == 0 else 0.01 * np.sin(2 * np.pi * hz * TIME_S)
  sound = np.float32(TALK + hum)
  gap, _ = settled(sound, levels=idle.levels(sound) if whole else None)
  plain, _ = settled(TALK, levels=idle.levels(TALK) if whole else None)
  np.testing.assert_allclose(gap, plain, atol=2e-3)


def test_levels_know_nothing_below_80_hz():
  def level(hz):
    return idle.levels(0.5 * np.sin(2 * np.pi * hz * TIME_S))[5]

  assert level(0) < -90 and level(25) < -90 and level(50) < -90
  assert level(70) < level(100) - 6
  for hz in (200, 1_000, 7_000):
    assert level(hz) == pytest.approx(-9.03, abs=0.1)  # .5 / sqrt(2)


def test_a_frame_that_is_not_full_has_a_level():
  assert len(idle.levels(NOISE[:641])) == 2
  assert len(idle.levels(NOISE[:0])) == 0
  assert idle.first_state(idle.levels(NOISE[:0])) == idle.first_state()


def test_a_new_fan_becomes_part_of_the_room():
  """Live: noise that stays is the room's after some seconds."""
  sound = np.r_[SPEECH, 0.003 * NOISE, 0.02 * NOISE, 0.02 * NOISE]
  gap, _ = settled(sound)
  assert (gap[80:298] < 0.015).all()
  assert gap[310] > 0.05  # might be speech
  assert (gap[-100:] < 0.015).all()


def test_other_keypoints_have_no_lips_to_close():
  gap, _ = settled(QUIET, close_lips=False)
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
