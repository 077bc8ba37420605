import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax.diffusion.schedule import DiffusionConfig
from takin_jax.infer import stream
from takin_jax.infer.controls import Controls
from takin_jax.infer.session import Session
from takin_jax.infer.stream import StreamConfig

SPEECH = np.random.default_rng(0).uniform(-0.5, 0.5, 45 * 640).astype('f')
PORTRAIT = np.full((64, 64, 3), 128, np.uint8)
PLAN = StreamConfig(chunk=20, look_ahead=5, past=3)


def blocks(samples: np.ndarray, size: int):
  for start in range(0, len(samples), size):
    yield samples[start : start + size]


def cut(parts):
  """All sound windows, and how many frames of each are meant."""
  cutter = stream.Cutter(PLAN)
  windows = [(w, PLAN.chunk) for part in parts for w in cutter.feed(part)]
  return windows + list(cutter.flush())


@pytest.mark.parametrize('size', [100, 640, 7_000, 10**6])
def test_windows_do_not_depend_on_the_blocks(size):
  got, want = cut(blocks(SPEECH, size)), cut([SPEECH])
  assert [count for _, count in got] == [20, 20, 5]
  for (a, _), (b, _) in zip(got, want, strict=True):
    np.testing.assert_array_equal(a, b)


def test_windows_cover_the_sound_and_what_follows():
  padded = np.pad(SPEECH, (0, 10**5))
  for i, (sound, _) in enumerate(cut([SPEECH])):
    start = i * PLAN.step_samples
    np.testing.assert_array_equal(sound, padded[start:][: len(sound)])
    assert len(sound) == 25 * 640


@pytest.mark.parametrize(('samples', 'frames'), [(1, 1), (640, 1), (641, 2)])
def test_every_sample_has_a_frame(samples, frames):
  assert [count for _, count in cut([SPEECH[:samples]])] == [frames]


def session(engine, seed=0, emotion=None):
  wish = stream.speech_controls(emotion, Controls(), 63)
  return Session(engine, engine.source(PORTRAIT), wish, seed)


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


@pytest.mark.parametrize('share', [0.0, 0.5])
def test_a_share_of_the_emotion_goes_over_smoothly(share):
  plan = StreamConfig(chunk=8)
  offset = np.zeros((21, 3), 'f')
  offset[0, 1] = 0.1  # a corner of the mouth
  neutral = np.full(63, 0.2, 'f')
  params = {'emotions': {'neutral': neutral}}
  state = stream.first_state(DiffusionConfig(prefix=2), plan, 70, 0)

  def shift(emotion, state):
    wish = stream.speech_controls(emotion, Controls(), 63)
    return stream.emotion_of_chunk(params, state, wish, share, plan)

  sad = neutral + offset.reshape(-1)
  first = shift(sad, state)
  assert first.shape == (8, 21, 3)
  np.testing.assert_allclose(first, np.tile(share * offset, (8, 1, 1)))
  later = state.replace(window=np.int32(1), shift=first[-1])
  for gone in (neutral, None):
    back = np.asarray(shift(gone, later))[:, 0, 1]
    want = share * 0.1 * (7 - np.arange(8)) / 8
    np.testing.assert_allclose(back, want, atol=1e-6)
  assert not np.any(stream.emotion_of_chunk({}, state, None, share, plan))


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
  this.wish = stream.speech_controls(None, Controls(pose_scale=0.0), 63)
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
