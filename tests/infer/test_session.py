import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax.animation.chunks import ChunkConfig
from takin_jax.animation.controls import Controls
from takin_jax.infer.session import Session
from tests.tiny import WINDOW

SPEECH = np.random.default_rng(0).uniform(-0.5, 0.5, 45 * 640).astype('f')
PORTRAIT = np.full((64, 64, 3), 128, np.uint8)
WHOLE, LIVE = ChunkConfig(chunk=WINDOW), ChunkConfig(4, 2, 10)


def blocks(samples: np.ndarray, size: int):
  for start in range(0, len(samples), size):
    yield samples[start : start + size]


def session(engine, chunks=WHOLE, seed=0, emotion=None):
  source = engine.encode_source(PORTRAIT)
  return Session(engine, source, None, emotion, chunks=chunks, seed=seed)


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
def test_pieces_of_any_size_give_the_same_motion(engine, size):
  """Bit for bit: the stream equals the whole."""
  whole = listen(session(engine, LIVE), SPEECH)
  np.testing.assert_array_equal(
    listen(session(engine, LIVE), *blocks(SPEECH, size)), whole
  )


def test_without_a_seed_the_sound_decides(engine):
  first = listen(session(engine, seed=None), SPEECH)
  again = session(engine, seed=None)
  np.testing.assert_array_equal(first, listen(again, *blocks(SPEECH, 5_000)))
  assert (first != listen(session(engine), SPEECH)).any()


def test_the_same_seed_gives_the_same_motion(engine):
  first = listen(session(engine), SPEECH)
  np.testing.assert_array_equal(first, listen(session(engine), SPEECH))
  assert (first != listen(session(engine, seed=1), SPEECH)).any()


def test_emotion_changes_the_motion(engine):
  plain = listen(session(engine), SPEECH)
  happy = listen(session(engine, emotion=np.full(63, 0.02, 'f')), SPEECH)
  assert (plain != happy).any()


def test_nothing_is_heard_beyond_the_look_ahead(engine):
  """Sound after the look-ahead of a frame's chunk cannot change the frame."""
  other = SPEECH.copy()
  first_changed = 5 * LIVE.step_samples + LIVE.look_ahead * 640
  other[first_changed:] *= -0.3
  a, b = (listen(session(engine, LIVE), sound) for sound in (SPEECH, other))
  frames = 5 * LIVE.chunk
  np.testing.assert_array_equal(a[:frames], b[:frames])
  assert (a[frames : frames + LIVE.chunk] != b[frames:][: LIVE.chunk]).any()


def test_a_chunk_knows_what_came_before(engine):
  """A chunk passes on its last frames and the end of its sound."""
  sound = SPEECH[: 40 * 640]
  other = sound.copy()
  other[: 10 * 640] *= 0.1
  a, b = (listen(session(engine), x) for x in (sound, other))
  assert (a[20:] != b[20:]).any()


def test_going_back_forgets_what_came_since(engine):
  """An interrupted speaker: the rest is as if it had never been said."""
  half, rest = np.split(SPEECH, [20 * 640])
  this = session(engine, LIVE)
  before = [m for m, _ in this.motions(half)]
  kept = this.snapshot()
  list(this.feed(rest[::-1].copy()))
  assert this.frame_count > kept.frame_count
  this.rewind(kept)
  assert this.frame_count == kept.frame_count
  after = listen(this, rest)
  whole = listen(session(engine, LIVE), SPEECH)
  np.testing.assert_array_equal(whole[-len(after) :], after)
  assert len(before) * LIVE.chunk + len(after) == 45


def test_reset_begins_anew(engine):
  this = session(engine, LIVE)
  first = listen(this, SPEECH)
  this.reset()
  np.testing.assert_array_equal(listen(this, SPEECH), first)


def test_controls_may_change_between_chunks(engine):
  this = session(engine, LIVE)
  plain = listen(session(engine, LIVE), SPEECH)
  start = [m for m, _ in this.motions(SPEECH[: 20 * 640])]
  this.controls = Controls(pose_scale=0.0)
  rest = listen(this, SPEECH[20 * 640 :])
  frames = len(start) * LIVE.chunk
  assert (plain[frames:, -3:].std(0) > 0).all()
  np.testing.assert_allclose(rest[:, -3:].std(0), 0, atol=1e-5)


def test_the_state_has_one_size(engine):
  """However long the sound was."""
  this = session(engine, LIVE)
  sizes = []
  for _ in range(3):
    list(this.motions(SPEECH))
    kept = this.snapshot()
    sizes.append(jax.tree.map(jnp.shape, kept.state))
    assert len(kept.pending) < LIVE.sound_samples
  assert sizes[0] == sizes[1] == sizes[2]
