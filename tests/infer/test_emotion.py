"""Named emotions, timelines, and expressions read off pictures."""

import cv2
import numpy as np
import pytest

from takin_jax.animation.controls import Controls
from takin_jax.data.faces import CropBox
from takin_jax.data.media import MediaError
from takin_jax.errors import InputError
from takin_jax.infer.emotion import FADE_S, Timeline, parse
from takin_jax.infer.expression import read_expression
from takin_jax.infer.inputs import crop
from takin_jax.infer.loading import load
from takin_jax.infer.session import Session
from tests.infer.make import NOISE, contents, write_video

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


@pytest.mark.parametrize('text', ['happy:much', 'happy:nan', '0:happy:much'])
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


def test_a_session_asks_for_the_emotion_of_every_chunk(live_engine):
  """In time with the sound, and again after going back."""
  plan, asked = live_engine.plan, []

  def wish(time_s, heard):
    asked.append((round(time_s, 3), len(heard)))
    return Controls().as_arrays(63)

  image = np.full((64, 64, 3), 128, np.uint8)
  session = Session(live_engine, live_engine.source(image), wish)
  sound = np.zeros(plan.sound_samples + plan.step_samples, 'f')
  kept = session.snapshot()
  list(session.motions(sound))
  samples = plan.past * 640 + plan.sound_samples
  chunk_s = plan.chunk / 25
  want = [(chunk_s / 2, samples), (1.5 * chunk_s, samples)]
  assert asked == want
  session.rewind(kept)
  list(session.motions(sound))
  assert asked == 2 * want


@pytest.fixture
def a_face_everywhere(monkeypatch):
  monkeypatch.setattr(crop, 'find_faces', lambda image: [CropBox(0, 8, 80)])


def test_expression_is_what_the_extractor_reads(
  engine, tiny_weights, tmp_path, a_face_everywhere
):
  config, params = load(tiny_weights)
  picture = tmp_path / 'face.png'
  cv2.imwrite(str(picture), NOISE[..., ::-1])
  vector = read_expression(picture, config, params)
  image = cv2.resize(NOISE[8:88], (64, 64), interpolation=cv2.INTER_AREA)
  want = np.asarray(engine.source(image).motion.exp).reshape(-1)
  np.testing.assert_allclose(vector, want, atol=1e-4)
  video = write_video(tmp_path / 'face.mp4', frames=11)
  moved = read_expression(video, config, params)
  assert moved.shape == (63,) and np.isfinite(moved).all()
  assert abs(moved - vector).max() > 1e-4


def test_expression_needs_a_face_and_a_file(tiny_weights, tmp_path):
  config, params = load(tiny_weights)
  picture = tmp_path / 'noise.png'
  cv2.imwrite(str(picture), NOISE)
  for path in (picture, write_video(tmp_path / 'noise.mp4')):
    with pytest.raises(InputError, match='no face') as error:
      read_expression(path, config, params)
    assert '--crop' not in str(error.value)
  with pytest.raises(MediaError, match='nowhere'):
    read_expression(tmp_path / 'nowhere.png', config, params)
  with pytest.raises(InputError, match='no motion'):
    read_expression(picture, config, {})


def test_timeline_and_picture_on_the_command_line(
  run, portrait, speech, a_face_everywhere, tmp_path
):
  given = ('-s', portrait, '-a', speech, '-o', 'x.mp4')
  code, _, err = run(*given, '--emotion', '0:neutral,0.6:happy:2')
  assert code == 0, err
  assert contents(tmp_path / 'work' / 'x.mp4')[0] == 38
  code, _, err = run(*given, '--emotion-from', portrait, '--emotion-scale', 1.5)
  assert code == 0, err


def test_wrong_emotions_on_the_command_line(refused, portrait):
  assert '0:neutral,2.5:happy' in refused('--emotion', '0:happy,x:happy')
  assert 'not allowed' in refused(
    '--emotion', 'happy', '--emotion-from', portrait
  )
  assert 'nowhere.jpg' in refused('--emotion-from', 'nowhere.jpg')
