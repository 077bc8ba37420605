import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax import face
from takin_jax.animation import openings
from takin_jax.animation.controls import Controls
from takin_jax.animation.retarget import OWN_LIDS, drive, own_lids, speak
from takin_jax.face import INNER_LIPS, OUTER_LIPS
from takin_jax.ops.geometry import relative_motion
from takin_jax.types import Motion


def random_motion(seed: int, frames: int = 1) -> Motion:
  rng = np.random.default_rng(seed)
  return Motion(
    exp=jnp.float32(0.02 * rng.standard_normal((frames, 21, 3))),
    scale=jnp.float32(rng.uniform(0.8, 1.2, (frames, 1))),
    t=jnp.float32(rng.uniform(-0.1, 0.1, (frames, 3))),
    pose_deg=jnp.float32(rng.uniform(-8, 8, (frames, 3))),
  )


def test_speech_at_rest_keeps_the_portrait_in_place():
  source = random_motion(0)
  rest = Motion(
    exp=jnp.zeros((5, 21, 3)),
    scale=jnp.ones((5, 1)),
    t=jnp.zeros((5, 3)),
    pose_deg=jnp.zeros((5, 3)),
  )
  motion = speak(source, rest, Controls())
  for name in ('scale', 't', 'pose_deg'):
    value, at_rest = getattr(motion, name), getattr(source, name)
    np.testing.assert_allclose(value, np.tile(at_rest, (5, 1)), rtol=1e-6)


def test_pose_scale_zero_holds_the_head():
  source, spoken = random_motion(0), random_motion(1, 5)
  motion = speak(source, spoken, Controls(pose_scale=0.0))
  np.testing.assert_allclose(
    motion.pose_deg, np.tile(source.pose_deg, (5, 1)), rtol=1e-5
  )
  np.testing.assert_allclose(motion.exp, spoken.exp)


def test_the_head_stays_below_the_limit():
  source = random_motion(0)
  spoken = random_motion(1, 5)
  spoken = spoken.replace(pose_deg=100 * spoken.pose_deg)
  motion = speak(source, spoken, Controls(max_pose_deg=10.0))
  assert jnp.abs(motion.pose_deg - source.pose_deg).max() <= 10.0001


def test_relative_driving_is_relative_motion():
  source, first, now = (random_motion(i) for i in range(3))
  free = Controls(max_pose_deg=1e4, max_shift=1e3, max_zoom=1e3)
  motion = drive(source, first, now, free)
  wanted = relative_motion(source, first, now)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=1e-3), motion, wanted
  )


def test_known_lips_are_as_far_apart_as_the_driving_ones():
  source, first, now = (random_motion(i) for i in range(3))
  plain, motion = (
    np.asarray(drive(source, first, now, Controls(), own).exp[0])
    for own in (False, True)
  )
  for upper, lower in (OUTER_LIPS, INNER_LIPS):
    gap = motion[lower, 1] - motion[upper, 1]
    assert gap == pytest.approx(
      float(now.exp[0, lower, 1] - now.exp[0, upper, 1]), abs=1e-5
    )
    middle = motion[[upper, lower]].mean(0) - plain[[upper, lower]].mean(0)
    np.testing.assert_allclose(middle, 0, atol=1e-6)
  others = np.setdiff1d(np.arange(len(motion)), (OUTER_LIPS, INNER_LIPS))
  np.testing.assert_array_equal(motion[others], plain[others])


def test_the_first_driving_frame_leaves_the_portrait_as_it_is():
  source, first = random_motion(0), random_motion(1)
  motion = drive(source, first, first, Controls())
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), motion, source
  )


def test_a_driven_head_stays_near_its_place():
  """However far the driving one goes; small movements are as they were."""
  source = first = random_motion(0)

  def driven(by):
    now = first.replace(t=first.t + by, scale=first.scale * (1 + by))
    motion = drive(source, first, now, Controls())
    return motion.t - source.t, motion.scale / source.scale

  shift, size = driven(0.02)
  np.testing.assert_allclose(shift, 0.02, atol=1e-3)
  np.testing.assert_allclose(size, 1.02, atol=1e-3)
  shift, size = driven(5.0)
  assert (shift < 0.31).all() and (size < np.exp(0.21)).all()
  assert (shift > driven(0.2)[0]).all()


def test_absolute_driving_takes_expression_and_pose():
  source, first, now = (random_motion(i) for i in range(3))
  motion = drive(source, first, now, Controls(relative=0.0))
  np.testing.assert_allclose(motion.exp, now.exp)
  np.testing.assert_allclose(motion.pose_deg, now.pose_deg)
  np.testing.assert_allclose(motion.scale, source.scale)


def faces(*gaps: float) -> np.ndarray:
  """[N, 21, 3] expressions with the lids so far apart."""
  exp = np.zeros((len(gaps), face.NUM_KEYPOINTS, 3), 'f')
  for _, lower in face.LIDS:
    exp[:, lower, 1] = gaps
  return exp


@pytest.mark.parametrize(
  ('own', 'factor'), [(0.06, 1.2), (0.04, 0.8), (0.0, OWN_LIDS[0])]
)
def test_eyes_are_as_open_as_the_portraits_own(own, factor):
  closed = openings.CLOSED_LIDS
  kp, neutral = faces(closed), faces(0.05).reshape(-1)
  exp = np.asarray(own_lids(faces(0.05, 0.0, 0.02), neutral, kp, faces(own)))
  found = face.gaps(kp + exp, face.LIDS) - closed
  want = factor * np.array([0.05, 0.0, 0.02])
  np.testing.assert_allclose(found, np.stack([want] * 2, -1), atol=1e-6)
  others = np.setdiff1d(np.arange(face.NUM_KEYPOINTS), face.LIDS)
  assert not exp[:, others].any()
