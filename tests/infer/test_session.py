import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax.animation.controls import Controls
from takin_jax.infer.session import Session

SPEECH = np.random.default_rng(0).uniform(-0.5, 0.5, 45 * 640).astype('f')
PORTRAIT = np.full((64, 64, 3), 128, np.uint8)


def blocks(samples: np.ndarray, size: int):
  for start in range(0, len(samples), size):
    yield samples[start : start + size]


def session(engine, seed=0, emotion=None):
  controls = Controls(emotion=emotion)
  return Session(engine, engine.source(PORTRAIT), controls, seed)


def listen(this: Session, *parts: np.ndarray) -> np.ndarray:
  """Motion of some sound and what follows when it ends: [T, 70]."""
  got = [m for part in parts for m in this.motions(part)]
  got += this.last_motions()
  vectors = [np.asarray(m.to_vector())[:count] for m, count in got]
  return np.concatenate(vectors)


def test_one_frame_for_every_640_samples(engine):
  motion = listen(session(engine), SPEECH)
  assert motion.shape == (45, 70)
  assert np.isfinite(motion).all()


@pytest.mark.parametrize('size', [320, 1_111, 5_000])
def test_pieces_of_any_size_give_the_same_motion(live_engine, size):
  """Bit for bit: the stream equals the whole."""
  whole = listen(session(live_engine), SPEECH)
  np.testing.assert_array_equal(
    listen(session(live_engine), *blocks(SPEECH, size)), whole
  )


def test_the_same_seed_gives_the_same_motion(engine):
  first = listen(session(engine), SPEECH)
  np.testing.assert_array_equal(first, listen(session(engine), SPEECH))
  assert (first != listen(session(engine, seed=1), SPEECH)).any()


def test_emotion_changes_the_motion(engine):
  plain = listen(session(engine), SPEECH)
  happy = listen(session(engine, emotion=np.full(63, 0.02, 'f')), SPEECH)
  assert (plain != happy).any()


def test_nothing_is_heard_beyond_the_look_ahead(live_engine):
  """Sound after the look-ahead of a frame's chunk cannot change the frame."""
  plan = live_engine.plan
  other = SPEECH.copy()
  first_changed = 5 * plan.step_samples + plan.look_ahead * 640
  other[first_changed:] *= -0.3
  a, b = (listen(session(live_engine), sound) for sound in (SPEECH, other))
  frames = 5 * plan.chunk
  np.testing.assert_array_equal(a[:frames], b[:frames])
  assert (a[frames : frames + plan.chunk] != b[frames:][: plan.chunk]).any()


def test_a_chunk_knows_what_came_before(engine):
  """A chunk passes on its last frames and the end of its sound."""
  sound = SPEECH[: 40 * 640]
  other = sound.copy()
  other[: 10 * 640] *= 0.1
  a, b = (listen(session(engine), x) for x in (sound, other))
  assert (a[20:] != b[20:]).any()


def test_going_back_forgets_what_came_since(live_engine):
  """An interrupted speaker: the rest is as if it had never been said."""
  half, rest = np.split(SPEECH, [20 * 640])
  this = session(live_engine)
  before = [m for m, _ in this.motions(half)]
  kept = this.snapshot()
  list(this.feed(rest[::-1].copy()))
  assert this.frames > kept.frames
  this.rewind(kept)
  assert this.frames == kept.frames
  after = listen(this, rest)
  whole = listen(session(live_engine), SPEECH)
  np.testing.assert_array_equal(whole[-len(after) :], after)
  assert len(before) * live_engine.plan.chunk + len(after) == 45


def test_reset_begins_anew(live_engine):
  this = session(live_engine)
  first = listen(this, SPEECH)
  this.reset()
  np.testing.assert_array_equal(listen(this, SPEECH), first)


def test_wishes_may_change_between_chunks(live_engine):
  this = session(live_engine)
  plain = listen(session(live_engine), SPEECH)
  start = [m for m, _ in this.motions(SPEECH[: 20 * 640])]
  this.wish = Controls(pose_scale=0.0)
  rest = listen(this, SPEECH[20 * 640 :])
  frames = len(start) * live_engine.plan.chunk
  assert (plain[frames:, -3:].std(0) > 0).all()
  np.testing.assert_allclose(rest[:, -3:].std(0), 0, atol=1e-5)


def test_the_state_has_one_size(live_engine):
  """However long the sound was."""
  this = session(live_engine)
  sizes = []
  for _ in range(3):
    list(this.motions(SPEECH))
    kept = this.snapshot()
    sizes.append(jax.tree.map(jnp.shape, kept.state))
    assert len(kept.waiting) < live_engine.plan.sound_samples
  assert sizes[0] == sizes[1] == sizes[2]
