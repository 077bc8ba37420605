"""Wrong paths end in a sentence before anything is loaded."""

import os
import subprocess
import sys

import pytest

from takin_jax.cli import infer
from takin_jax.cli.options import with_crops_joined
from tests.data import media_files


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  media_files.write_sound(tmp_path / 'a.wav', media_files.tone(), 16_000)
  media_files.write_video(tmp_path / 'v.mp4', media_files.counter(3))
  os.symlink('v.mp4', 'link.mp4')
  return tmp_path


@pytest.mark.parametrize(
  ('options', 'sentence'),
  [
    (['-s', 'no.png'], '--source: no.png is not a file'),
    (['-a', 'no.wav'], '--audio: no.wav is not a file'),
    (['-a', ''], "--audio: '' is not a file"),
    (['-d', 'no.mp4'], '--driving: no.mp4 is not a file'),
    (['--emotion-from', '.'], '--emotion-from: . is not a file'),
    (['-o', ''], '--output: The output has no name'),
    (['-o', '/dev/null'], '--output: /dev/null is a pipe'),
    (['-a', 'a.wav', '-o', 'a.wav'], '--output: a.wav is an input'),
    (['-d', 'v.mp4', '-o', 'link.mp4'], '--output: link.mp4 is an input'),
    (['--realtime', '-a', 'v.mp4', '-o', './v.mp4'], 'v.mp4 is an input'),
    (['--realtime', '-o', 'x.mkv'], '--output: x.mkv does not end in .ts'),
    (['--stream', '-o', 'no/x.ts'], 'no is not a folder'),
  ],
)
def test_wrong_paths(options, sentence, capsys, in_folder):
  before = {p.name: p.read_bytes() for p in in_folder.iterdir()}
  assert infer.main(options) == 2
  said = capsys.readouterr().err
  assert sentence in said and said.count('\n') == 1
  assert {p.name: p.read_bytes() for p in in_folder.iterdir()} == before


def test_jax_is_not_waited_for():
  program = (
    'import sys; from takin_jax.cli import infer; '
    'assert infer.main(["-a", "no.wav"]) == 2; assert "jax" not in sys.modules'
  )
  folder = os.path.dirname(os.path.dirname(infer.__file__))
  env = os.environ | {'PYTHONPATH': os.path.dirname(folder)}
  subprocess.run([sys.executable, '-c', program], check=True, env=env)


def test_corners_outside_the_picture_need_no_equals_sign():
  given = ['--crop', '-10,0,300', '--driving-crop', '-.5,2,3', '-a', '-x']
  assert with_crops_joined(given) == [
    '--crop=-10,0,300',
    '--driving-crop=-.5,2,3',
    '-a',
    '-x',
  ]
  assert with_crops_joined(['--crop', '1,2,3']) == ['--crop', '1,2,3']
