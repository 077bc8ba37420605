import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax.animation import blink
from takin_jax.animation.openings import CLOSED_LIDS
from takin_jax.face import LIDS

KP = jnp.zeros((1, 21, 3))
for _, lower in LIDS:
  KP = KP.at[0, lower, 1].set(0.06)


def run(per_minute, frames, seed=0, wait=None):
  chance = np.random.default_rng(seed).random(frames).astype('f')
  wait = blink.first_state() if wait is None else wait
  return blink.course(wait, np.float32(per_minute), jnp.asarray(chance))


def starts(share):
  return np.flatnonzero(np.asarray(share) == blink.COURSE[0])


@pytest.mark.parametrize('per_minute', [10, 20, 40])
def test_as_many_as_asked_for(per_minute):
  _, share = run(per_minute, 40 * 1500)
  begin = starts(share)
  assert len(begin) / 40 == pytest.approx(per_minute, rel=0.15)
  pauses = np.diff(begin)
  assert pauses.std() > 0.3 * pauses.mean()  # no clockwork
  assert pauses.min() >= len(blink.COURSE)  # one after the other
  course = [share[i : i + len(blink.COURSE)] for i in begin[:-1]]
  np.testing.assert_allclose(course, [blink.COURSE] * len(course), rtol=1e-6)


def test_none_until_they_are_asked_for():
  wait, share = run(0.0, 3000)
  assert not np.any(share)
  _, share = run(30.0, 400, wait=wait)
  assert len(starts(share)) > 2


def test_chunks_make_the_same_as_one_stretch():
  chance = np.random.default_rng(3).random(600).astype('f')
  whole = blink.course(blink.first_state(), 20.0, jnp.asarray(chance))[1]
  wait, parts = blink.first_state(), []
  for i in range(0, 600, 8):
    wait, part = blink.course(wait, 20.0, jnp.asarray(chance[i : i + 8]))
    parts.append(part)
  np.testing.assert_array_equal(np.concatenate(parts), whole)
  assert np.any(whole)


def test_lids_meet_and_never_part():
  exp = jnp.zeros((3, 21, 3)).at[2, LIDS[0][1], 1].set(-0.08)  # shut already
  closed = blink.close_lids(exp, KP, jnp.array([0.0, 1.0, 1.0]))
  y = np.asarray(KP + closed)[..., 1]
  for (upper, lower), last in zip(LIDS, (-0.02, CLOSED_LIDS), strict=True):
    gap = y[:, lower] - y[:, upper]
    np.testing.assert_allclose(gap, [0.06, CLOSED_LIDS, last], atol=1e-6)
  moved = np.abs(closed - exp).max((0, 2)) > 0
  assert set(np.flatnonzero(moved)) == {k for pair in LIDS for k in pair}
  upper, lower = LIDS[1]
  assert closed[1, upper, 1] > -4 * closed[1, lower, 1] > 0
