import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax import weights
from takin_jax.config import build
from takin_jax.data.faces.expressions import EXPRESSIONS
from takin_jax.models import emotion_reader
from takin_jax.models.emotion_reader import GROUP
from takin_jax.models.hubert import Hubert, HubertConfig
from takin_jax.train.release import emotions
from takin_jax.train.release.emotions import Heard
from tests import tiny
from tests.data.fake_records import write_clip


def made_up(apart, people=10, own=1.0, seed=0):
  """Three emotions `apart` units from each other, people `own` units."""
  rng = np.random.default_rng(seed)
  centres = apart * rng.normal(size=(3, 20))
  rows = []
  for person in range(people):
    emotion = person % 3
    home = centres[emotion] + own * rng.normal(size=20)
    for _ in range(4):
      place = home + 0.1 * rng.normal(size=20)
      rows.append((place, ('happy', 'neutral', 'sad')[emotion], str(person)))
  return Heard(*(np.array(column) for column in zip(*rows, strict=True)))


def test_the_discriminant_finds_what_is_there():
  heard = made_up(apart=3.0)
  reader, text = emotions.read_emotions(heard)
  assert 'guessing 0.333' in text
  found = emotion_reader.probabilities(reader, heard.features)
  told = np.array(list(found))[np.argmax(np.stack(list(found.values())), 0)]
  assert (told == heard.emotions).mean() > 0.95


def test_people_left_out_decide_whether_it_is_kept():
  """Voices tell people apart, which must not pass for emotions."""
  heard = made_up(apart=0.0, people=12, seed=1)
  reader = emotions.fit(heard)
  found = emotion_reader.probabilities(reader, heard.features)
  told = np.array(list(found))[np.argmax(np.stack(list(found.values())), 0)]
  assert (told == heard.emotions).mean() > 0.8  # learnt by heart
  reader, text = emotions.read_emotions(heard)
  assert not reader and 'not better than guessing' in text


def test_one_person_is_no_evidence():
  heard = made_up(apart=9.0, people=3)
  reader, text = emotions.read_emotions(heard)
  assert not reader and 'happy 1, neutral 1, sad 1' in text


@pytest.fixture
def folder(tmp_path):
  clips = tmp_path / 'records'
  write_clip(clips, 'a', 'ann', frames=50, speech=True)
  write_clip(clips, 'b', 'bob', frames=20, seed=1, emotion='sad', speech=True)
  write_clip(clips, 'c', 'cat', frames=20, seed=2, emotion='happy')
  hubert = Hubert(build(HubertConfig, tiny.SPEECH))
  shapes = jax.eval_shape(hubert.init, jax.random.key(0), jnp.zeros((1, 800)))
  speech = jax.tree.map(lambda x: np.full(x.shape, 0.1), shapes['params'])
  params = {'speech': speech, 'other': {'x': np.arange(3.0)}}
  params[GROUP] = {'stale': {'kernel': np.ones(2), 'bias': np.array(0.0)}}
  config = {'name': 'tiny', 'model': {'speech': tiny.SPEECH}}
  weights.save(tmp_path / 'weights', config, params, np.float32)
  return tmp_path


def test_the_command_updates_a_weights_folder(folder, capsys):
  records, out = str(folder / 'records'), str(folder / 'weights')
  assert emotions.main(['--records', records, '--weights', out]) == 0
  said = capsys.readouterr().out
  assert said.startswith(f'{out}: neutral, ') and ' written. ' in said
  assert 'neutral 1, sad 1' in said  # the one without speech is not heard
  config, params = weights.load(out)
  assert set(params) == {'speech', 'other', 'emotions'}
  assert set(params['emotions']) == {'neutral', *EXPRESSIONS}
  assert params['emotions']['sad'].shape == (63,)
  np.testing.assert_array_equal(params['other']['x'], np.arange(3))
  assert config.name == 'tiny'


def test_a_reader_is_stored(folder, monkeypatch):
  heard = made_up(apart=3.0)
  monkeypatch.setattr(emotions, 'encode_clips', lambda *args: heard)
  text = emotions.update(str(folder / 'records'), str(folder / 'weights'))
  assert 'People left out' in text
  reader = weights.load(folder / 'weights')[1][GROUP]
  assert set(reader) == {'happy', 'neutral', 'sad'}
  assert reader['sad']['kernel'].shape == (20,)


def test_wrong_folders_are_one_sentence(folder, capsys):
  for records, out in (('nowhere', 'weights'), ('records', 'nowhere')):
    args = ['--records', str(folder / records), '--weights', str(folder / out)]
    assert emotions.main(args) == 2
    assert capsys.readouterr().err.count('\n') == 1
