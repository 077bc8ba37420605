"""Live video from the command line."""

import json
import re
import sys
import tempfile

import numpy as np
import pytest

from tests.infer import make

CROP = ('--crop', 'none')


def pipe(monkeypatch, samples):
  data = np.round(samples * 32767).astype('<i2').tobytes()
  stdin = tempfile.TemporaryFile()  # noqa: SIM115
  stdin.write(data)
  stdin.seek(0)
  monkeypatch.setattr(sys, 'stdin', stdin)


def test_infer_listens_to_a_pipe(run, portrait, monkeypatch, tmp_path):
  pipe(monkeypatch, make.VOICE)
  code, out, err = run(*CROP, '--stream', '-s', portrait, '-o', 'live.ts')
  assert code == 0, err
  assert not out
  assert '0 dropped' in err
  frames, shape, seconds = make.contents(tmp_path / 'work' / 'live.ts')
  assert abs(frames - 38) <= 1
  assert shape == (64, 64, 3)
  assert abs(seconds - 1.5) < 0.15


def test_infer_at_the_speed_of_speech(run, portrait, speech):
  code, _, err = run(
    *(*CROP, '--realtime', '-s', portrait, '-a', speech, '-o', 'x.mp4'),
    *('--chunk', '160', '--look-ahead', '80'),
  )
  assert code == 0, err
  assert '38 frames' in err


@pytest.mark.parametrize(
  ('args', 'problem'),
  [
    (['--stream', '-a', 'x.wav'], 'standard input'),
    (['--stream', '--realtime'], 'standard input'),
    (['--realtime', '-d', 'x.mp4'], 'leave -d out'),
    (['--stream', '--chunk', '0'], '--chunk: 0 is not a multiple of 40'),
    (['--stream', '--look-ahead', '100'], 'multiple of 40'),
    (['--stream', '-o', 'x.avi'], r'end in \.ts'),
  ],
)
def test_wrong_wishes(refused, portrait, monkeypatch, args, problem):
  pipe(monkeypatch, make.VOICE)
  assert re.search(problem, refused('-s', portrait, *args))


def test_benchmark_prints_every_stage(run, portrait, speech):
  code, out, err = run(*CROP, '--benchmark', '-s', portrait, '-a', speech)
  assert code == 0, err
  for what in (
    *('start', 'portrait', 'speech to motion', 'frame', 'FPS', 'real-time'),
    *('needed sample', 'peak memory'),
  ):
    assert what in out
  assert json.loads(out.split('real-time factor')[1].split()[0]) > 0
