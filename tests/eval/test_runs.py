"""Every subcommand with tiny weights, made-up clips and a made-up judge."""

import argparse
import wave

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
  nets,
  probe,
  self_frames,
  self_measure,
  self_reenactment,
  speech,
  takes,
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
  shared = dict(weights='tiny', split='val', clips=None, out=None)
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


def test_frames_of_self(records):
  b, c, _ = clips.load(records, 64, 'val')
  frames = self_frames.judged_frames(b, 4)
  assert b.closed not in frames['frame']
  assert b.extreme('lids', np.argmin) in frames['frame']
  assert frames['even'].sum() in (3, 4)
  row = self_frames.consecutive_frames(c, 6)['frame']
  assert list(row) == list(range(row[0], row[0] + 6)) and row[0] == 8
  leak = self_frames.leak_pairs(b, 'lids')
  driving = leak['frame'].reshape(2, -1)
  np.testing.assert_array_equal(*driving)
  ends = [b.extreme('lids', pick) for pick in (np.argmax, np.argmin)]
  assert not set(ends) & set(driving[0])
  for half, end in zip(np.split(leak['source'], 2), ends, strict=True):
    assert (half == b.image(end)).all()


def test_self(tiny_candidate, records, tmp_path, monkeypatch):
  args = options(
    self_reenactment,
    *('--frames', 3, '--run', 5),
    records=records,
    out=tmp_path,
  )
  report = self_reenactment.run(args, tiny_candidate, fake_judge.judge)
  tables = {name: table.rows for name, table in report.tables.items()}
  assert list(tables['pairs']) == list(self_reenactment.ROWS.values())
  for row in tables['pairs'].values():  # mouths are too small for LPIPS here
    assert np.isfinite([row['psnr'], row['ssim'], row['l1']]).all()
  assert np.isnan(tables['moves']['copy of the source']['lids_r'])
  truth = tables['pairs']['ground truth itself']
  assert truth['psnr'] == 100 and truth['ssim'] == pytest.approx(1)
  assert truth['l1'] == truth['akd'] == truth['apd'] == 0
  truth = tables['moves']['ground truth itself']
  assert truth['lips_r'] == pytest.approx(1)
  assert truth['lips_gain'] == pytest.approx(1)
  steady = tables['steadiness']
  assert steady['copy of the source']['leak_lips'] == pytest.approx(1)
  assert steady['ground truth itself']['leak_lips'] == pytest.approx(0)
  assert steady['copy of the source']['jitter'] == 0
  assert {'CSIM', 'FID'} <= set(report.not_measured)
  report.write(tmp_path)
  assert 'PSNR' in (tmp_path / 'report.md').read_text()

  def again(*_):
    raise AssertionError('this clip was measured already')

  monkeypatch.setattr(self_reenactment, 'measure', again)
  resumed = self_reenactment.run(args, tiny_candidate, fake_judge.judge)
  assert resumed.markdown() == report.markdown()
  args.frames = 2
  with pytest.raises(AssertionError, match='already'):
    self_reenactment.run(args, tiny_candidate, fake_judge.judge)


def test_perfect_frames_have_perfect_figures(records):
  """Made from one clip as if the weights were perfect."""
  clip = clips.load(records, 64, 'val')[0]

  class Face:
    def __call__(self, images, landmarks):
      return np.tile([0.6, 0.8], (len(images), 1))

  found = self_measure.measure(
    clip,
    lambda way, pairs: pairs['source' if way == 'copy' else 'driving'],
    fake_judge.judge,
    nets.Nets({'vgg': lambda x: x.mean((1, 2))}, face=Face()),
    count=4,
    consecutive=5,
  )
  row = self_reenactment.quality([found], 'own')
  assert row['psnr'] == 100 and row['akd'] == 0
  assert row['csim'] == pytest.approx(1)
  assert row['frechet_vgg'] == pytest.approx(0, abs=1e-6)
  assert self_reenactment.quality([found], 'copy')['frechet_vgg'] > 0
  assert self_reenactment.steadiness([found], 'own')['jitter_ratio'] == 1


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
  summary = report.tables['summary'].rows
  assert summary['driving clips themselves']['lips_gain'] == pytest.approx(1)
  assert summary['copy of the portrait']['lips_gain'] == 0
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
  assert list(rows) == list(speech.ROWS.values())
  truth, still = rows['the real clips'], rows['copy of the source']
  assert truth['lips_r'] == pytest.approx(1) and truth['l1'] == 0
  assert truth['jitter_ratio'] == 1
  assert np.isnan(still['lips_r']) and abs(still['lips_gain']) < 1e-9
  assert still['offset_frames'] is None
  assert still['l1'] > 0
  lips = report.details['lips_own']['c'][0]
  assert len(lips) == 20 + speech.SILENCE_S * 25 + 0.5
  assert {'CSIM', 'FID', 'LSE-D, LSE-C'} <= set(report.not_measured)
  args.clips = ['d']
  with pytest.raises(InputError, match='speech'):
    speech.run(args, tiny_candidate, fake_judge.judge)


def test_sync_is_measured_on_the_clips_own_sound(records, tiny_candidate):
  """As many pictures, and no silence at the end."""
  b, c, _ = clips.load(records, 64, 'val')
  heard = []

  def sync(images, seen, sound):
    heard.append((len(images), sound))
    return {'lse_d': 7.0}

  stage = speech._Stage(
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
