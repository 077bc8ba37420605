"""`audio`, `probe` and `emotion` with tiny weights and a made-up judge."""

import wave

import numpy as np
import pytest

from takin_jax.errors import InputError
from takin_jax.eval import judge
from takin_jax.eval.metrics import nets
from takin_jax.eval.protocols import (
  audio,
  candidate,
  clips,
  emotion,
  emotion_tables,
  own_speech,
  probe,
  takes,
)
from tests.data.fake_records import FRAMES, write_clip
from tests.eval import fake_judge
from tests.eval.options import options


def test_speak_renders_every_frame_that_sounds(tiny_candidate):
  engine = tiny_candidate.engine
  source = engine.encode_source(np.zeros((64, 64, 3), np.uint8))
  sound = 0.1 * np.random.default_rng(0).normal(size=640 * 26 + 1)
  sound = sound.astype(np.float32)
  controls = tiny_candidate.controls
  made = list(candidate.speak(engine, source, sound, controls))
  assert len(made) == 27 and made[0].dtype == np.uint8
  some = list(candidate.speak(engine, source, sound, controls, every=4))
  assert len(some) == 7  # across the border of two windows
  np.testing.assert_array_equal(some[6], made[24])


def test_audio(tiny_candidate, records):
  args = options(audio, '--seeds', 1, records=records)
  report = audio.run(args, tiny_candidate, fake_judge.judge)
  assert report.settings['clips'] == ['b', 'c']
  rows = report.tables['summary'].rows
  assert list(rows) == list(audio.ROWS.values())
  truth, still = rows['the real clips'], rows['copy of the source']
  assert truth['lips_r'] == pytest.approx(1) and truth['l1'] == 0
  assert truth['jitter_ratio'] == 1
  assert np.isnan(still['lips_r']) and abs(still['lips_gain']) < 1e-9
  assert still['offset_frames'] is None
  assert still['l1'] > 0
  lips = report.details['lips_own']['c'][0]
  assert len(lips) == 20 + audio.SILENCE_S * 25 + 0.5
  assert {'CSIM', 'FID', 'LSE-D, LSE-C'} <= set(report.not_measured)
  args.clips = ['d']
  with pytest.raises(InputError, match='speech'):
    audio.run(args, tiny_candidate, fake_judge.judge)


def test_sync_is_measured_on_the_clips_own_sound(records, tiny_candidate):
  """As many pictures, and no silence at the end."""
  b, c, _ = clips.load(records, 64, 'val')
  heard = []

  def sync(images, seen, sound):
    heard.append((len(images), sound))
    return {'lse_d': 7.0}

  stage = audio._Stage(
    *(b, c, None, tiny_candidate, None, fake_judge.judge),
    nets.Nets({}, sync=sync),
  )
  for way in ('truth', 'copy'):
    assert stage.make(way, 0)['lse_d'] == 7
  for count, sound in heard:
    assert count == FRAMES
    np.testing.assert_array_equal(sound, b.audio)


def test_probe(tiny_candidate, records, portraits, tmp_path):
  for name, seed in (('one', 0), ('two', 1)):
    rng = np.random.default_rng(seed)
    sound = (3000 * rng.normal(size=16000)).astype(np.int16)
    with wave.open(str(tmp_path / f'{name}.wav'), 'wb') as file:
      file.setparams((1, 2, 16000, 0, 'NONE', ''))
      file.writeframes(sound.tobytes())
  for name in 'tu':
    write_clip(tmp_path, name, name, frames=40, seed=5, speech=True)
  for name in 'bc':
    write_clip(tmp_path, name, name, split='val', seed=6, speech=True)
  args = options(
    probe,
    *('--portraits', portraits, '--count', 2, '--seconds', 0.8),
    *('--speech', tmp_path / 'one.wav', tmp_path / 'two.wav'),
    records=str(tmp_path),
    out=tmp_path,
  )
  report = probe.run(args, tiny_candidate, fake_judge.judge)
  rows = report.tables['summary'].rows
  assert list(rows) == [
    *('all', 'one', 'two', 'copy of the portrait', 'real clips, own sound')
  ]
  assert np.isfinite(
    [rows['all'][k] for k in ('probe_r', 'probe_wrong_r')]
  ).all()
  assert list(report.tables['portraits'].rows) == ['p.png', 'r.png']
  args.records = records
  with pytest.raises(InputError, match='at least 50 frames'):
    probe.run(args, tiny_candidate, fake_judge.judge)


def test_lips_that_follow_the_probe():
  rng = np.random.default_rng(0)
  guess, other = rng.normal(size=(2, 100))
  row = probe._row([(guess, 0.1 * guess, other), (guess, 0.3 * guess, other)])
  assert row['probe_r'] == pytest.approx(1) and row['offset_frames'] == 0
  assert row['lips_std'] == pytest.approx(0.2 * guess.std())
  wanted = np.corrcoef(guess, other)[0, 1]
  assert row['probe_wrong_r'] == pytest.approx(wanted)


def test_late_lips_are_noticed():
  rng = np.random.default_rng(0)
  lips = 0.05 * np.convolve(rng.uniform(size=104), np.ones(3) / 3, 'valid')
  late = np.r_[lips[0], lips[0], lips[:-2], np.full(38, 0.003)]
  real = fake_judge.readings(lips)
  take = takes.compare(real, fake_judge.readings(0.5 * late), own=True)
  assert takes.summary([take])['offset_frames'] == 2
  assert takes.summary([take])['lips_peak_r'] == pytest.approx(1, abs=0.01)
  assert take.row['open_silence'] == pytest.approx(0.0015)
  take = takes.compare(real, fake_judge.readings(0.5 * lips), own=False)
  assert take.row['lips_r'] == pytest.approx(1)
  assert take.row['lips_gain'] == pytest.approx(0.5)


def test_emotion(tiny_candidate, portraits):
  args = options(
    emotion,
    *('--portraits', portraits, '--count', 2, '--seconds', 0.4),
    *('--emotions', 'happy', 'sad', '--moments', 3),
  )
  report = emotion.run(args, tiny_candidate, fake_judge.judge)
  assert 'sad' in report.not_measured  # the tiny weights know happy only
  assert list(report.tables['summary'].rows) == ['happy']
  assert report.tables['summary'].rows['happy']['shows'] == '0 of 2'
  assert report.tables['summary'].title.startswith('0 of 1')
  # Two portraits at three moments: portrait, neutral, happy.
  height, width = (side // 160 for side in report.sheet.shape[:2])
  assert (height, width) == (6, 3)
  confused = report.tables['confusion'].rows
  assert confused == {'happy': {'happy': '0', 'none': '2'}}
  args.emotions = ['sad']
  with pytest.raises(InputError, match='sad'):
    emotion.run(args, tiny_candidate, fake_judge.judge)


def test_the_default_portrait_shows_emotions():
  (name, image), *others = emotion._portraits(options(emotion), 64).items()
  assert name == 'astronaut' and image.shape == (64, 64, 3) and not others


def test_blendshapes_of_both_sides_are_averaged():
  shapes = np.array([[0, 0.2, 0.4, 0.1], [0, 0.4, 0.6, 0.3], [1, 1, 1, 1]])
  seen = fake_judge.readings([0.1, 0.1, np.nan], shapes=shapes)
  found = emotion.mean_shapes(seen)
  assert found['mouthSmile'] == pytest.approx(0.4)
  assert found['jawOpen'] == pytest.approx(0.2)
  rest = dict.fromkeys(found, 0.1)
  change = emotion_tables.minus(found, rest)
  assert emotion_tables.shows('happy', change, 0.29)
  assert not emotion_tables.shows('happy', change, 0.31)
  assert emotion_tables.shows('surprised:2', change, 0.05)
  assert not emotion_tables.shows('angry', change, 0.05)


def test_own_speech(tiny_candidate, records, tmp_path):
  args = options(
    own_speech,
    *('--seeds', 2, '--seconds', 0.4),
    records=records,
    out=tmp_path,
  )
  report = own_speech.run(args, tiny_candidate, fake_judge.judge)
  assert report.settings['clips'] == ['b', 'c']  # d says nothing
  rows = report.tables['summary'].rows
  assert list(rows) == list(own_speech.CURVES)
  assert list(report.tables['lips'].rows) == ['bob', 'cat']
  assert np.isfinite([rows['lips']['r'], rows['lips']['spread']]).all()
  resumed = own_speech.run(args, tiny_candidate, None)  # nobody looks again
  assert resumed.markdown() == report.markdown()
  args.clips = ['d']
  with pytest.raises(InputError, match='speech'):
    own_speech.run(args, tiny_candidate, fake_judge.judge)


def test_own_speech_is_held_against_the_same_moments():
  lips = 0.1 * np.random.default_rng(0).uniform(size=30)
  take = judge.pack(fake_judge.readings(lips), 'real/')
  take |= judge.pack(fake_judge.readings(0.5 * lips), 'made/')
  rows = own_speech.speaker_rows([take, take])
  assert rows['lips']['r'] == pytest.approx(1)
  assert rows['lips']['gain'] == pytest.approx(0.5)
  assert rows['lips']['lag'] == 0
  other = dict(rows['lips'], std=3 * rows['lips']['std_real'])
  spread = own_speech.summary_row([rows['lips'], other])['spread']
  assert spread == pytest.approx(1.75)


def test_emotions_must_not_make_somebody_else(
  tiny_candidate, portraits, tmp_path, monkeypatch
):
  class Face:
    """The more frames were judged, the less alike."""

    calls = 0

    def __call__(self, images, landmarks):
      Face.calls += 1
      angle = 0.1 * (Face.calls // 2)  # output, portrait, output, ...
      return np.tile([np.cos(angle), np.sin(angle)], (len(images), 1))

  monkeypatch.setattr(
    emotion.nets, 'open_nets', lambda args: nets.Nets({}, face=Face())
  )
  args = options(
    emotion,
    *('--portraits', portraits, '--count', 1, '--seconds', 0.4),
    *('--emotions', 'happy'),
    out=tmp_path,
  )
  report = emotion.run(args, tiny_candidate, fake_judge.judge)
  row = report.tables['summary'].rows['happy']
  assert row['csim'] < 1 and np.isfinite(row['csim_loss'])
  overall = report.tables['overall'].rows['all emotions']
  assert overall['csim_loss'] == row['csim_loss']
  assert overall['told'] == 0 and overall['asked'] == 1
  resumed = emotion.run(args, tiny_candidate, None)  # nobody looks again
  assert resumed.markdown() == report.markdown()
