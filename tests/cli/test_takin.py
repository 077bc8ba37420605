"""The command `takin` and where it leads."""

import importlib

import pytest

from takin_jax.cli import takin
from tests.infer import make


def test_talking_is_the_default(run, portrait, speech, capfd, monkeypatch):
  given = ['-s', str(portrait), '-a', str(speech), '--crop', 'none']
  weights = ['--weights', str(run.weights), '-o', 'x.mp4']
  for name in ([], ['talk']):
    assert takin.main([*name, *given, *weights]) == 0
    assert capfd.readouterr().out.startswith('x.mp4: 38 frames')
  assert make.contents('x.mp4')[0] == 38


@pytest.mark.parametrize('name', takin.COMMANDS)
def test_every_command_is_there(name):
  assert callable(importlib.import_module(takin.COMMANDS[name]).main)


def test_a_command_gets_its_own_arguments(capsys):
  with pytest.raises(SystemExit) as stop:
    takin.main(['convert', '--help'])
  assert stop.value.code == 0
  assert 'hubert' in capsys.readouterr().out


def test_the_help_lists_the_commands(capsys):
  with pytest.raises(SystemExit) as stop:
    takin.main(['--help'])
  assert stop.value.code == 0
  out = capsys.readouterr().out
  assert '--emotion' in out
  for name in (*takin.COMMANDS, 'benchmark'):
    assert name in out


def test_an_unknown_word_is_one_sentence(capsys):
  with pytest.raises(SystemExit) as stop:
    takin.main(['dance'])
  assert stop.value.code == 2
  assert capsys.readouterr().err.startswith('takin: unrecognized arguments')
