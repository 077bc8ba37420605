"""The command that makes records of raw clips."""

import csv

import numpy as np
import pytest

from takin_jax.data import records
from takin_jax.data.prepare import __main__ as prepare
from takin_jax.data.prepare import clips
from takin_jax.data.prepare.shot_record import Job


def rows_of(path):
  with open(path, newline='') as f:
    return list(csv.DictReader(f, delimiter='\t'))


def test_the_manifest_keeps_other_files(tmp_path):
  path = tmp_path / 'manifest.tsv'
  a = {'file': 'a.mp4', 'id': 'a', 'status': 'ok', 'face_px': 130.5}
  b = {'file': 'b.mp4', 'id': 'b', 'status': 'skipped', 'reason': 'cut'}
  prepare.write_manifest(path, [a, b])
  parts = [b | {'id': f'b_{k:03d}', 'status': 'ok'} for k in range(2)]
  prepare.write_manifest(path, parts)
  rows = rows_of(path)
  assert list(rows[0]) == list(prepare.MANIFEST_COLUMNS)
  assert [(r['id'], r['status'], r['face_px']) for r in rows] == [
    ('a', 'ok', '130.5'),
    ('b_000', 'ok', ''),
    ('b_001', 'ok', ''),
  ]


def test_lines_come_in_the_order_of_the_clips(tmp_path, monkeypatch):
  videos = []
  for size, name in enumerate(('c', 'a', 'b')):
    path = tmp_path / f'{name}.mp4'
    path.write_bytes(b'x' * size)
    videos.append(clips.Clip(path, path.name, name))

  def two_lines(clip, job):
    return [{'file': clip.file, 'id': f'{clip.id}{k}'} for k in (1, 2)]

  monkeypatch.setattr(prepare, 'prepare_file', two_lines)
  seen = []

  def run(work, items):
    for item in items:
      seen.append(item.id)
      yield work(item)

  lines = prepare.prepare_all(videos, Job(tmp_path, 64, tmp_path), run)
  assert seen == ['b', 'a', 'c']  # the largest file first
  assert [r['id'] for r in lines] == ['c1', 'c2', 'a1', 'a2', 'b1', 'b2']


def test_bad_command_lines(tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(prepare, 'find_model', lambda path: path)
  video, out = str(tmp_path / 'v.mp4'), str(tmp_path / 'out')
  assert prepare.main([video, '--out', out]) == 2
  assert 'is not there' in capsys.readouterr().err
  (tmp_path / 'v.mp4').touch()
  assert prepare.main([video, '--out', f'{video}/out']) == 2
  capsys.readouterr()
  assert prepare.main([video, '--out', out, '--face-net', 'no.onnx']) == 2
  assert 'no.onnx is not a file: give' in capsys.readouterr().err
  assert prepare.main([video, '--out', out, '--layout', 'mead']) == 2
  assert 'is not named as in mead' in capsys.readouterr().err


def test_real_clips(test_data, tmp_path):
  pytest.importorskip('mediapipe')
  nets = test_data.parent / 'nets'
  model, face_net = nets / 'face_landmarker.task', nets / 'MobileFaceNet.onnx'
  if not (model.is_file() and face_net.is_file()):
    pytest.skip('no landmarker or face net')
  names = ('grid_bbaf2n.mpg', 'mead_M030_front_happy_level3_001.mp4')
  sources = [str(test_data / 'video' / name) for name in names]
  argv = [*sources, '--out', str(tmp_path), '--landmarker', str(model)]
  argv += ['--face-net', str(face_net), '--workers', '1', '--size', '128']
  assert prepare.main(argv) == 0
  rows = rows_of(tmp_path / 'manifest.tsv')
  assert [(r['status'], r['frames']) for r in rows] == [
    ('ok', '75'),
    ('ok', '94'),
  ]
  assert all(float(r['similarity']) > 0.5 for r in rows)
  assert all(float(r['yaw_deg']) < 15 for r in rows)
  head = records.read_head(records.clip_paths(tmp_path)[0])
  assert head.found.mean() > 0.95
  assert 0.2 < np.mean(head.landmarks[:, 1, :2]) < 0.8  # the nose
  assert len((tmp_path / 'blendshapes.json').read_text()) > 500
