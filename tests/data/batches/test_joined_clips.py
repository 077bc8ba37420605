import dataclasses

import numpy as np
import pytest

from takin_jax import face
from takin_jax.data.batches.joined_clips import join_short
from takin_jax.data.batches.motion_clips import (
  MIN_HEAD_FRAMES,
  MotionClip,
  motion_stats,
)
from takin_jax.data.batches.motion_windows import cut

SHORT = 30


def make_clip(name, person='p', frames=SHORT, **changes):
  """A clip whose motion is the frame's number and whose sound is noise."""
  rng = np.random.default_rng(len(name))
  clip = MotionClip(
    id=name,
    person=person,
    emotion='-',
    speech=True,
    motion=np.repeat(np.arange(frames, dtype=np.float32)[:, None], 70, 1),
    kp=np.zeros((21, 3), np.float32),
    audio=rng.normal(scale=500, size=640 * frames).astype(np.int16),
  )
  return dataclasses.replace(clip, **changes)


def test_only_short_plain_speech_of_one_person_is_joined():
  alone = [
    make_clip('long', frames=200),
    make_clip('silent', speech=False),
    make_clip('sad', emotion='sad'),
    make_clip('other', person='q'),
  ]
  a, b = make_clip('a'), make_clip('b', emotion='neutral')
  clips = join_short([*alone, a, b], 125, 250)
  assert [c.id for c in clips] == ['long', 'silent', 'sad', 'other', 'a+1']
  joined = clips[-1]
  assert joined.joints.tolist() == [SHORT]
  np.testing.assert_array_equal(joined.motion[SHORT:], b.motion)
  assert len(joined.audio) == 640 * 2 * SHORT


def test_joined_clips_end_before_they_are_too_long():
  clips = join_short([make_clip('c' * k) for k in range(1, 8)], 125, 100)
  assert [len(c.motion) for c in clips] == [90, 90, 30]
  assert clips[0].parts.tolist() == [0] * 30 + [1] * 30 + [2] * 30


def test_parts_are_equally_loud_and_in_step():
  quiet = make_clip('a')
  loud = make_clip('bb', audio=(8 * make_clip('bb').audio).astype(np.int16))
  late = make_clip('ccc', audio=make_clip('ccc').audio[: 640 * SHORT - 500])
  (joined,) = join_short([quiet, loud, late], 125, 250)
  parts = joined.audio.astype(float).reshape(3, -1)
  level = np.sqrt(np.square(parts).mean(1))
  np.testing.assert_allclose(level, level[0], rtol=0.02)
  assert not parts[2, -500:].any() and parts[2, -600:-500].any()


def test_windows_tell_where_clips_meet():
  (joined,) = join_short([make_clip(c) for c in ('a', 'bb', 'ccc')], 125, 250)
  sample = cut(joined, 20, 40, 4, 25)
  assert np.flatnonzero(~sample['follows']).tolist() == [10]
  assert sample['frame_mask'].all() and not sample['head_mask'].any()
  np.testing.assert_allclose(sample['emotion'], (SHORT - 1) / 2)
  # Faster: no frame lies between two clips.
  motion = cut(joined, 20.5, 40, 4, 25, speed=1.1)['motion'][:, 0]
  assert np.diff(motion).min() < -20 and ((motion < 1) | (motion > 1)).all()
  steps = np.diff(motion)
  assert (np.abs(steps[steps > -20] - 1.1) < 1e-3).sum() >= len(steps) - 4


def test_the_head_is_known_where_a_part_is_long():
  long = make_clip('a', frames=MIN_HEAD_FRAMES)
  short = make_clip('bb')
  short.motion[:, face.HEAD] = 1000.0
  (joined,) = join_short([long, short], 125, 250)
  assert joined.knows_head.tolist() == (
    [True] * MIN_HEAD_FRAMES + [False] * SHORT
  )
  mean, std = motion_stats([joined])
  assert mean[-1] == pytest.approx((MIN_HEAD_FRAMES - 1) / 2)
  assert std[-1] == pytest.approx(long.motion[:, -1].std())
  assert std[0] == pytest.approx(joined.motion[:, 0].std())
  # Without any that is known, all count.
  assert motion_stats([short])[0][-1] == 1000.0
