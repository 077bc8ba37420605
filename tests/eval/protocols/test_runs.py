"""`self` and `cross` with tiny weights, made-up clips and a made-up judge."""

import numpy as np
import pytest
import skimage

from takin_jax.data.faces import landmarker
from takin_jax.data.records import RecordsError
from takin_jax.eval import __main__, judge
from takin_jax.eval.metrics import nets
from takin_jax.eval.protocols import (
  clips,
  cross_reenactment,
  emotion,
  self_frames,
  self_measure,
  self_reenactment,
)
from tests.data.fake_records import FRAMES
from tests.eval import fake_judge
from tests.eval.options import options


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
  assert [c.id for c in clips.longer(found, 0.8)] == ['c']
  with pytest.raises(RecordsError, match='as long'):
    clips.longer(found, 9)


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
  args.frechet = False
  assert 'Frechet VGG' in nets.open_nets(args).missing
  assert not nets.open_nets(args).pictures
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
