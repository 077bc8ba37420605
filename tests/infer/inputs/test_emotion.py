"""Named emotions, timelines, and expressions read off pictures."""

import cv2
import numpy as np
import pytest

from takin_jax.animation.chunks import ChunkConfig
from takin_jax.data.faces import CropBox, Track
from takin_jax.data.media import MediaError
from takin_jax.errors import InputError
from takin_jax.infer.inputs import crop
from takin_jax.infer.inputs.emotion import FADE_S, Timeline, parse
from takin_jax.infer.session import Session
from tests.infer.make import NOISE, write_video

KNOWN = {'neutral': np.full(63, 0.1), 'happy': np.full(63, 0.3)}
NOTHING = np.zeros(0, 'f')


@pytest.mark.parametrize(
  ('text', 'value'),
  [('happy', 0.3), ('happy:0.5', 0.2), ('happy:2', 0.5), ('neutral:7', 0.1)],
)
def test_scale_leads_away_from_neutral(text, value):
  np.testing.assert_allclose(parse(text, KNOWN), value, rtol=1e-6)
  np.testing.assert_allclose(
    parse(text, KNOWN, 0.5), 0.1 + (value - 0.1) / 2, rtol=1e-6
  )


def test_unknown_emotion_lists_the_known_ones():
  with pytest.raises(InputError, match='happy, neutral'):
    parse('furious', KNOWN)
  with pytest.raises(InputError, match='happy, neutral'):
    parse('0:happy,1:furious', KNOWN)


@pytest.mark.parametrize(
  'text',
  ['happy:much', 'happy:nan', '0:happy:much', 'happy:1e30', 'happy:-11'],
)
def test_scale_is_a_number(text):
  with pytest.raises(InputError, match='not a number'):
    parse(text, KNOWN)


def test_timeline_fades_from_one_emotion_to_the_next():
  timeline = parse('0:neutral, 2.5:happy:1.5,4:neutral', KNOWN)
  assert isinstance(timeline, Timeline)

  def at(time_s):
    return timeline(time_s, NOTHING)

  np.testing.assert_allclose(at(0), 0.1, rtol=1e-6)
  np.testing.assert_allclose(at(2.5), 0.1, rtol=1e-6)
  np.testing.assert_allclose(at(2.5 + FADE_S / 2), 0.25, rtol=1e-6)
  np.testing.assert_allclose(at(3.9), 0.4, rtol=1e-6)
  np.testing.assert_allclose(at(99), 0.1, rtol=1e-6)
  steps = np.diff([at(t)[0] for t in np.arange(0, 6, 0.01)])
  assert abs(steps).max() < 1.1 * 0.3 * 0.01 / FADE_S


@pytest.mark.parametrize(
  'text',
  ['happy,sad', '0:', '0:happy,2.5', '1:happy', '0:happy,2:happy,1:happy']
  + ['0:happy,', '-1:happy', '0:happy,nan:happy', '2.5'],
)
def test_bad_timeline_shows_a_good_one(text):
  with pytest.raises(InputError, match='0:neutral,2.5:happy:1.5') as error:
    parse(text, KNOWN)
  assert '\n' not in str(error.value)


def test_a_session_asks_for_the_emotion_of_every_chunk(engine):
  """In time with the sound, and again after going back."""
  chunks, asked = ChunkConfig(4, 2, 10), []

  def emotion(time_s, heard):
    asked.append((round(time_s, 3), len(heard)))
    return np.zeros(63, 'f')

  image = np.full((64, 64, 3), 128, np.uint8)
  source = engine.encode_source(image)
  session = Session(engine, source, None, emotion, chunks=chunks)
  sound = np.zeros(chunks.sound_samples + chunks.step_samples, 'f')
  kept = session.snapshot()
  list(session.motions(sound))
  samples = chunks.past * 640 + chunks.sound_samples
  chunk_s = chunks.chunk / 25
  want = [(chunk_s / 2, samples), (1.5 * chunk_s, samples)]
  assert asked == want
  session.rewind(kept)
  list(session.motions(sound))
  assert asked == 2 * want


@pytest.fixture
def a_face_everywhere(monkeypatch):
  box = CropBox(0, 8, 80)

  def track(frames):
    count = len(list(frames))
    return Track(
      np.tile(np.array(box, float), (count, 1)), np.ones(count, bool)
    )

  monkeypatch.setattr(crop, 'find_faces', lambda image: [box])
  monkeypatch.setattr(crop, 'track_face', track)


def test_expression_is_what_the_extractor_reads(
  engine, pipe, tmp_path, a_face_everywhere
):
  picture = tmp_path / 'face.png'
  cv2.imwrite(str(picture), NOISE[..., ::-1])
  vector = pipe.emotion_from(picture)
  image = cv2.resize(NOISE[8:88], (64, 64), interpolation=cv2.INTER_AREA)
  want = np.asarray(engine.encode_source(image).motion.exp).reshape(-1)
  np.testing.assert_allclose(vector, want, atol=1e-4)
  video = write_video(tmp_path / 'face.mp4', frames=11)
  moved = pipe.emotion_from(video)
  assert moved.shape == (63,) and np.isfinite(moved).all()
  assert abs(moved - vector).max() > 1e-4


def test_expression_needs_a_face_and_a_file(pipe, tmp_path):
  picture = tmp_path / 'noise.png'
  cv2.imwrite(str(picture), NOISE)
  for path in (picture, write_video(tmp_path / 'noise.mp4')):
    with pytest.raises(InputError, match='^emotion_from: .*no face'):
      pipe.emotion_from(path)
  with pytest.raises(MediaError, match='nowhere'):
    pipe.emotion_from(tmp_path / 'nowhere.png')
