"""Live: sound in while it is spoken, frames out in time."""

import math
import resource
import time

import numpy as np
import pytest

import takin_jax
from takin_jax.animation.chunks import ChunkConfig
from takin_jax.data import media
from takin_jax.infer.inputs.portrait import read_portrait
from takin_jax.infer.player import Arrivals, Player, paced
from takin_jax.infer.session import Session
from tests.infer import make

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
  source = engine.encode_source(PORTRAIT)
  return Session(engine, source, chunks=ChunkConfig(4, 2, 10))


def test_picture_and_sound_stay_together(engine):
  writer = Writer()
  sound = np.tile(make.VOICE, 4)
  blocks = ((sound[i : i + 320], 0.0) for i in range(0, len(sound), 320))
  report = Player(session(engine), writer, False).play(blocks)
  assert report.frames == writer.frames == 150
  assert writer.samples == len(sound)
  assert writer.behind <= 1
  assert report.dropped == 0
  chunks = report.frames / 4
  assert len(report.delays_s) == math.ceil(chunks)


def test_late_frames_are_left_out_and_the_sound_goes_on(engine):
  """A machine that stands still for a while."""
  writer = Writer()

  def blocks():
    for i in range(0, 3 * len(make.VOICE), 640):
      if i == 20 * 640:
        time.sleep(1.8)
      yield np.resize(make.VOICE, 640), time.monotonic()

  report = Player(session(engine), writer, True).play(blocks())
  assert report.frames == writer.frames == 113
  assert report.dropped > 0
  assert 'dropped' in str(report)


def test_waking_up_leaves_no_trace(engine):
  fresh, warmed = session(engine), session(engine)
  warmed.warm_up()
  assert warmed.frame_count == 0
  for a, b in zip(fresh.feed(make.VOICE), warmed.feed(make.VOICE), strict=True):
    np.testing.assert_array_equal(a, b)


def test_a_broken_pipe_is_told():
  def blocks():
    yield np.zeros(3)
    raise media.MediaError('the microphone is gone')

  with pytest.raises(media.MediaError, match='microphone'):
    list(Arrivals(blocks()))


def test_blocks_come_at_the_speed_of_speech(tmp_path):
  path = make.write_audio(tmp_path / 's.wav', make.VOICE[None, :4800], 16_000)
  start = time.monotonic()
  blocks = list(paced(path))
  assert time.monotonic() - start >= 0.3
  assert sum(map(len, blocks)) == 4800


@pytest.mark.slow
def test_thirty_minutes(capsys):
  """Of speech and silence with the shipped weights: no growth, no drift."""
  pipe = takin_jax.load()
  this = pipe.session(takin_jax.EXAMPLE_PORTRAIT)
  speech = media.read_audio(takin_jax.EXAMPLE_SPEECH)
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
  portrait = read_portrait(takin_jax.EXAMPLE_PORTRAIT).crop(256)
  home = np.asarray(pipe.engine.extract_motion(portrait).pose_deg)
  silent = np.concatenate([p[50 * 25 : 58 * 25] for p in poses]) - home
  with capsys.disabled():
    print(
      f'\nhead in silence: {np.abs(silent).max():.2f} deg at most, memory '
      f'{memory[0] / 1024:.0f} -> {memory[-1] / 1024:.0f} MiB'
    )
  assert np.abs(silent).max() < 5.0
  assert memory[-1] < memory[2] * 1.02
