import json
import math
import re
import resource
import sys
import tempfile
import time

import numpy as np
import pytest

from takin_jax.animation.chunks import LIVE
from takin_jax.animation.controls import Controls
from takin_jax.data import media
from takin_jax.infer import animate, live
from takin_jax.infer.session import Session
from tests.infer import make

CROP = ('--crop', 'none')
PORTRAIT = np.full((64, 64, 3), 128, np.uint8)


class Writer:
  """Counts, as a live writer would be used."""

  def __init__(self):
    self.frames, self.samples = 0, 0
    self.behind = 0  # most frames that the sound was away from the picture

  def write(self, image):
    assert image.shape == (64, 64, 3)
    self.frames += 1

  def write_audio(self, samples):
    self.samples += len(samples)
    self.behind = max(self.behind, abs(self.frames - self.samples / 640))


def session(engine):
  wish = Controls().as_arrays(63)
  return Session(engine, engine.source(PORTRAIT), wish)


def test_picture_and_sound_stay_together(live_engine):
  writer = Writer()
  sound = np.tile(make.VOICE, 4)
  blocks = ((sound[i : i + 320], 0.0) for i in range(0, len(sound), 320))
  report = live.Player(session(live_engine), writer, False).play(blocks)
  assert report.frames == writer.frames == 150
  assert writer.samples == len(sound)
  assert writer.behind <= 1
  assert report.dropped == 0
  chunks = report.frames / live_engine.plan.chunk
  assert len(report.delays_s) == math.ceil(chunks)


def test_late_frames_are_left_out_and_the_sound_goes_on(live_engine):
  """A machine that stands still for a while."""
  writer = Writer()

  def blocks():
    for i in range(0, 3 * len(make.VOICE), 640):
      if i == 20 * 640:
        time.sleep(1.8)
      yield np.resize(make.VOICE, 640), time.monotonic()

  report = live.Player(session(live_engine), writer, True).play(blocks())
  assert report.frames == writer.frames == 113
  assert report.dropped > 0
  assert 'dropped' in str(report)


def test_waking_up_leaves_no_trace(live_engine):
  fresh, warmed = session(live_engine), session(live_engine)
  live.warm_up(warmed)
  assert warmed.frames == 0
  for a, b in zip(fresh.feed(make.VOICE), warmed.feed(make.VOICE), strict=True):
    np.testing.assert_array_equal(a, b)


def test_a_broken_pipe_is_told():
  def blocks():
    yield np.zeros(3)
    raise media.MediaError('the microphone is gone')

  with pytest.raises(media.MediaError, match='microphone'):
    list(live.Arrivals(blocks()))


def test_blocks_come_at_the_speed_of_speech(tmp_path):
  path = make.write_audio(tmp_path / 's.wav', make.VOICE[None, :4800], 16_000)
  start = time.monotonic()
  blocks = list(live.paced(path))
  assert time.monotonic() - start >= 0.3
  assert sum(map(len, blocks)) == 4800


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
    (['--stream', '--chunk', '0'], 'at least 40'),
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


@pytest.mark.slow
def test_thirty_minutes(capsys):
  """Of speech and silence with the shipped weights: no growth, no drift."""
  model = animate.open_model(animate.Job(), print)
  engine = model.compile(plan=LIVE)
  this = Session(
    engine, engine.source(model.portrait(engine.size_px)), model.wish()
  )
  speech = media.read_audio(animate.DEFAULT_SPEECH)
  minute = np.resize(np.r_[speech, np.zeros(4 * 16_000, 'f')], 60 * 16_000)
  minute[45 * 16_000 :] = 0
  poses, memory, frames = [], [], 0
  for _ in range(30):
    parts = [
      np.asarray(m.pose_deg)[:count] for m, count in this.motions(minute)
    ]
    poses.append(np.concatenate(parts))
    frames += len(poses[-1])
    memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
  frames += sum(count for _, count in this.last_motions())
  assert frames == 30 * 60 * 25
  home = np.asarray(engine.source(model.portrait(256)).motion.pose_deg)
  silent = np.concatenate([p[50 * 25 : 58 * 25] for p in poses]) - home
  with capsys.disabled():
    print(
      f'\nhead in silence: {np.abs(silent).max():.2f} deg at most, memory '
      f'{memory[0] / 1024:.0f} -> {memory[-1] / 1024:.0f} MiB'
    )
  assert np.abs(silent).max() < 5.0
  assert memory[-1] < memory[2] * 1.02
