"""Every subcommand with tiny weights, made-up clips and a made-up judge."""

import argparse

import cv2
import numpy as np
import pytest
import skimage

from takin_jax.data.faces import CropBox, landmarker
from takin_jax.data.records import RecordsError
from takin_jax.eval import (
  __main__,
  candidate,
  clips,
  cross_reenactment,
  emotion,
  judge,
  self_reenactment,
  speech,
)
from takin_jax.infer.errors import InputError
from tests.data.fake_records import FRAMES, write_clip
from tests.eval import fake_judge
from tests.infer import tiny


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
  return tiny.save(tmp_path_factory.mktemp('weights') / 'tiny')


@pytest.fixture(scope='module')
def tiny_candidate(weights):
  return candidate.open_candidate(str(weights), 'cpu')


@pytest.fixture(scope='module')
def records(tmp_path_factory):
  folder = tmp_path_factory.mktemp('records')
  write_clip(folder, 'a', 'ann', seed=1)
  write_clip(folder, 'b', 'bob', split='val', seed=2, speech=True)
  write_clip(folder, 'c', 'cat', split='val', frames=20, seed=3, speech=True)
  write_clip(folder, 'd', 'dan', split='val', seed=4)
  return str(folder)


@pytest.fixture(scope='module')
def portraits(tmp_path_factory):
  """Pictures that are taken whole: nobody looks for a face."""
  folder = tmp_path_factory.mktemp('portraits')
  for i, name in enumerate(('p.png', 'q.jpg', 'r.png')):
    image = np.full((40, 40, 3), 60 * i + 20, np.uint8)
    cv2.imwrite(str(folder / name), image)
  return str(folder)


@pytest.fixture(autouse=True)
def no_face_is_looked_for(monkeypatch):
  for module in (clips, emotion):
    monkeypatch.setattr(module, 'find_crop', lambda image: CropBox(0, 0, 40))


def options(module, *given, **more):
  parser = argparse.ArgumentParser()
  module.add_arguments(parser)
  args = parser.parse_args([str(x) for x in given])
  shared = dict(weights='tiny', split='val', clips=None)
  for key, value in {**shared, **more}.items():
    setattr(args, key, value)
  return args


def test_clips(records):
  found = clips.load(records, 64, 'val')
  assert [clip.id for clip in found] == ['b', 'c', 'd']
  assert [clip.speaks for clip in found] == [True, True, False]
  b = found[0]
  assert b.image(0).shape == (64, 64, 3)
  assert len(b.audio) == 640 * FRAMES and abs(b.audio).max() < 1
  assert len(b.even(5)) == 5 and set(b.even(99)) == set(b.found)
  assert 1 not in b.even(99)  # no face there
  lips = b.geo.frames['lips'][:, 0]
  assert lips[b.closed] == lips[b.found].min()
  assert [c.id for c in clips.load(records, 64, 'val', ['d', 'a'])] == [
    'd',
    'a',
  ]
  with pytest.raises(RecordsError, match='no clip z'):
    clips.load(records, 64, 'val', ['z'])
  assert [c.id for c in clips.liveliest(found, 3)][2] == 'd'


def test_portraits(portraits):
  found = clips.load_portraits(portraits, 2, 64)
  assert list(found) == ['p.png', 'r.png']
  assert found['p.png'].shape == (64, 64, 3)
  assert list(clips.load_portraits(portraits, 2, 64, ['q.jpg'])) == ['q.jpg']


def test_judged_frames(records):
  found = clips.load(records, 64, 'val')
  frames = self_reenactment.judged_frames(found, 4)
  for number, clip in enumerate(found):
    here = frames['clip'] == number
    assert clip.closed not in frames['frame'][here]
    assert clip.extreme('lids', np.argmin) in frames['frame'][here]
    assert frames['even'][here].sum() in (3, 4)


def test_self(tiny_candidate, records, tmp_path):
  args = options(self_reenactment, '--frames', 3, records=records)
  report = self_reenactment.run(args, tiny_candidate, fake_judge.judge)
  pairs, moves = report.tables['pairs'].rows, report.tables['moves'].rows
  assert list(pairs) == list(self_reenactment.ROWS.values())
  for row in pairs.values():  # mouths are too small for LPIPS here
    assert np.isfinite([row['psnr'], row['ssim']]).all()
  assert np.isnan(moves['copy of the source']['lids_r'])
  report.write(tmp_path)
  assert 'PSNR' in (tmp_path / 'report.md').read_text()


def test_copying_the_driving_frame_is_perfect(records):
  """The figures know what perfect means."""
  frames = self_reenactment.judged_frames(clips.load(records, 64, 'val'), 6)
  rng = np.random.default_rng(0)
  seen = fake_judge.readings(rng.uniform(size=len(frames['clip'])))
  every = np.ones(len(frames['clip']), bool)
  moves = self_reenactment._moves(seen, seen, frames['clip'], every)
  assert moves['lips_r'] == pytest.approx(1)
  assert moves['lips_gain'] == pytest.approx(1)
  quality = self_reenactment._quality(frames, frames['driving'])
  assert quality['psnr'] == 100 and quality['ssim'] == pytest.approx(1)


def test_cross(tiny_candidate, records, portraits):
  args = options(
    cross_reenactment,
    *('--portraits', portraits, '--count', 2, '--frames', 4),
    *('--clip-count', 2),
    records=records,
  )
  report = cross_reenactment.run(args, tiny_candidate, fake_judge.judge)
  rows = report.tables['pairs'].rows
  assert len(rows) == 4
  assert 'CSIM' in report.not_measured
  mean = report.tables['summary'].rows['mean over pairs']
  wanted = np.mean([row['lips_gain'] for row in rows.values()])
  assert mean['lips_gain'] == pytest.approx(wanted, nan_ok=True)


def test_speak_renders_every_frame_that_sounds(tiny_candidate):
  engine = tiny_candidate.engine(video=False)
  source = engine.source(np.zeros((64, 64, 3), np.uint8))
  sound = 0.1 * np.random.default_rng(0).normal(size=640 * 26 + 1)
  sound = sound.astype(np.float32)
  controls = tiny_candidate.controls
  made = list(candidate.speak(engine, source, sound, controls))
  assert len(made) == 27 and made[0].dtype == np.uint8
  some = list(candidate.speak(engine, source, sound, controls, every=4))
  assert len(some) == 7  # across the border of two windows
  np.testing.assert_array_equal(some[6], made[24])


def test_audio(tiny_candidate, records):
  args = options(speech, '--seeds', 1, records=records)
  report = speech.run(args, tiny_candidate, fake_judge.judge)
  assert report.settings['clips'] == ['b', 'c']
  rows = report.tables['summary'].rows
  assert set(rows) == {'own sound', "another clip's sound", 'the real clips'}
  lips = report.details['lips_own']['c'][0]
  assert len(lips) == 20 + speech.SILENCE_S * 25 + 0.5
  assert not report.not_measured
  args.clips = ['d']
  with pytest.raises(InputError, match='speech'):
    speech.run(args, tiny_candidate, fake_judge.judge)


def test_late_lips_are_noticed():
  rng = np.random.default_rng(0)
  lips = 0.05 * np.convolve(rng.uniform(size=104), np.ones(3) / 3, 'valid')
  late = np.r_[lips[0], lips[0], lips[:-2], np.full(38, 0.003)]
  real = fake_judge.readings(lips)
  take = speech.compare(real, fake_judge.readings(0.5 * late), own=True)
  assert speech._summary([take])['offset_frames'] == 2
  assert speech._summary([take])['lips_peak_r'] == pytest.approx(1, abs=0.01)
  assert take.row['open_silence'] == pytest.approx(0.0015)
  take = speech.compare(real, fake_judge.readings(0.5 * lips), own=False)
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
  change = emotion.minus(found, rest)
  assert emotion.shows('happy', change, 0.29)
  assert not emotion.shows('happy', change, 0.31)
  assert emotion.shows('surprised:2', change, 0.05)
  assert not emotion.shows('angry', change, 0.05)


def test_wrong_paths_are_said_in_one_sentence(weights, tmp_path, capsys):
  argv = ['self', '--records', str(tmp_path), '--out', str(tmp_path / 'o')]
  argv += ['--weights', str(weights), '--landmarker', str(tmp_path / 'none')]
  assert __main__.main(argv) == 2
  assert capsys.readouterr().err.count('\n') == 1


def test_mediapipe_reads_a_real_face(test_data):
  """Needs MediaPipe and its model; skips without them."""
  pytest.importorskip('mediapipe')
  model = test_data / 'nets' / 'face_landmarker.task'
  model = model if model.is_file() else test_data.parent / 'nets' / model.name
  if not model.is_file():
    pytest.skip('no face_landmarker.task')
  face = skimage.data.astronaut()[:256, 96:352]
  with landmarker(str(model)) as net:
    seen = judge.LandmarkJudge(net)([face, np.zeros_like(face)])
  assert list(seen.found) == [True, False]
  assert 0 < seen.lips[0] < 0.2 and 0.01 < seen.lids[0] < 0.1
  assert np.isnan(seen.lips[1]) and np.isnan(seen.pose_deg[1]).all()
  assert len(seen.names) == 52
  smile = emotion.mean_shapes(seen)['mouthSmile']
  assert smile > 0.3
