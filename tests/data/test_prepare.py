"""Raw clips to records."""

import contextlib
import csv

import cv2
import numpy as np
import pytest

from takin_jax.data import clips, cuts, faces, media, prepare, records
from tests.data import media_files

SIZE = 64


class FakeLandmarker:
  """Sees a face wherever the picture is bright."""

  blendshape_names = [f'shape{k}' for k in range(52)]

  def detect(self, image, time_ms=0):
    bright = np.argwhere(image.mean(-1) > 128)
    if len(bright) < 20:
      return None
    (y0, x0), (y1, x1) = bright.min(0), bright.max(0) + 1
    height, width = image.shape[:2]
    points = np.tile([[x0 / width, y0 / height, 0]], (478, 1))
    points[1] = x1 / width, y1 / height, 0
    pose = np.eye(4, dtype=np.float32)
    return faces.Face(points, np.full(52, 0.5), pose, 1)


@pytest.fixture
def fake_landmarker(monkeypatch):
  """A tiny stand-in, so that MediaPipe is not needed."""

  @contextlib.contextmanager
  def opened(path=None, tracking=False):
    yield FakeLandmarker()

  monkeypatch.setattr(faces, 'landmarker', opened)


def scene(frames=40, x=60, background=40):
  """A bright square of 30 px on a dark ground, moving slowly."""
  images = np.full((frames, 120, 160, 3), background, np.uint8)
  for k, image in enumerate(images):
    left = x + k // 8
    image[50:80, left : left + 30] = 220
  return images


def write_clip(path, images, sound=None):
  with media.VideoWriter(path, rate=sound is not None and 16_000) as video:
    for image in images:
      video.write(image)
    if sound is not None:
      video.write_audio(sound)
  return path


def make(path, out, **kwargs):
  """Prepares one clip in this process; returns its line."""
  (out / 'clips').mkdir(parents=True, exist_ok=True)
  clip = clips.Clip(path, path.name, person='p', speech='yes', **kwargs)
  return prepare.prepare_clip(clip, out, SIZE, 'model')


def test_a_clip_becomes_a_record(tmp_path, fake_landmarker):
  sound = media_files.tone(1.6)
  path = write_clip(tmp_path / 'a b.mp4', scene(), sound)
  line = make(path, tmp_path, split='val', emotion='happy', lag_ms=-40.0)
  assert line['status'] == 'ok' and line['frames'] == 40
  (record,) = records.clip_paths(tmp_path)
  assert record.name == 'a_b.array_record'
  head = records.read_head(record)
  assert head.landmarks.shape == (40, 478, 3)
  assert head.pose_matrix.shape == (40, 4, 4)
  assert head.blendshapes.shape == (40, 52)
  assert head.found.all() and head.found.dtype == bool
  arrays = (head.landmarks, head.pose_matrix, head.blendshapes)
  assert {a.dtype for a in arrays} == {np.dtype(np.float32)}
  assert head.audio.dtype == np.int16
  assert not head.audio[:600].any()  # 40 ms of silence were put first
  assert np.abs(head.audio[2_000:20_000]).max() == pytest.approx(
    16_384, rel=0.2
  )
  assert head.meta['speech'] is True
  assert head.meta['crop'][2] == pytest.approx(1.7 * 30, abs=4)
  picked = ('emotion', 'split', 'frames', 'size_px', 'jumps', 'source_fps')
  assert [head.meta[k] for k in picked] == ['happy', 'val', 40, SIZE, [], 25.0]
  # The face fills 1 / 1.7 of the crop, 6 % of it below the middle.
  x0, y0 = head.landmarks[20, 0, :2]
  x1, y1 = head.landmarks[20, 1, :2]
  assert x1 - x0 == pytest.approx(1 / 1.7, abs=0.06)
  assert (y0 + y1) / 2 == pytest.approx(0.5 + 0.06 / 1.7, abs=0.03)


def test_the_crops_are_jpeg_in_the_usual_colours(tmp_path, fake_landmarker):
  images = scene()
  images[..., 2] = np.where(images[..., 2] > 128, 170, 0)  # yellowish
  make(write_clip(tmp_path / 'a.mp4', images), tmp_path)
  (record,) = records.clip_paths(tmp_path)
  reader = prepare.array_record_module.ArrayRecordReader(str(record))
  assert reader.num_records() == 41
  bgr = cv2.imdecode(np.frombuffer(reader.read([7])[0], np.uint8), 1)
  assert bgr.shape == (SIZE, SIZE, 3)
  np.testing.assert_allclose(bgr[35, 32], [170, 220, 220], atol=12)


@pytest.mark.parametrize(
  ('images', 'reason'),
  [
    (scene(20), 'too short: 0.80 s'),
    (scene()[..., :1] // 3 * np.ones(3, np.uint8), 'face in 0 of 5'),
    (np.concatenate([scene(), scene(x=20, background=100)]), 'cut at 1.60 s'),
  ],
)
def test_reasons_to_skip(tmp_path, fake_landmarker, images, reason):
  line = make(write_clip(tmp_path / 'a.mp4', images), tmp_path)
  assert line['status'] == 'skipped' and reason in line['reason']
  assert not list((tmp_path / 'clips').iterdir())


def test_unreadable_and_odd_files_are_skipped(tmp_path, monkeypatch):
  path = tmp_path / 'a.mp4'
  path.write_bytes(b'no video')
  with monkeypatch.context() as patch:
    patch.setattr(faces, 'landmarker', contextlib.nullcontext)
    assert 'cannot be read' in make(path, tmp_path)['reason']
  monkeypatch.setattr(prepare, 'scan', lambda *_: 1 / 0)
  assert 'ZeroDivisionError' in make(path, tmp_path)['reason']


def test_finished_clips_are_kept(tmp_path, fake_landmarker, monkeypatch):
  path = write_clip(tmp_path / 'a.mp4', scene())
  line = make(path, tmp_path)
  monkeypatch.setattr(prepare, 'scan', lambda *_: pytest.fail('made again'))
  assert make(path, tmp_path) == line


def test_a_lag_is_taken_out():
  audio = np.arange(1, 1601)
  np.testing.assert_array_equal(prepare.correct_lag(audio, 0), audio)
  np.testing.assert_array_equal(prepare.correct_lag(audio, 40), audio[640:])
  early = prepare.correct_lag(audio, -40)
  np.testing.assert_array_equal(early[640:], audio)
  assert not early[:640].any()


def test_motion_is_no_cut():
  ramp = np.linspace(0, 255, 32).astype(np.uint8)
  still = np.tile(ramp[None, :, None], (32, 1, 3))
  moving = np.stack([np.roll(still, 2 * k, 1) for k in range(30)])
  assert cuts.find_jumps(moving) == ([], None)
  jump = np.concatenate([moving[:1]] * 10 + [moving[8:9]] * 10)
  assert cuts.find_jumps(jump) == ([10], None)
  other = np.concatenate([moving[:10], moving[:10] // 2])
  assert cuts.find_jumps(other) == ([10], 10)


def test_manifests_folders_and_files(tmp_path):
  (tmp_path / 'video').mkdir()
  for name in ('video/a.mp4', 'video/b.MOV', 'video/notes.txt', 'c.mp4'):
    (tmp_path / name).touch()
  table = tmp_path / 'clips.tsv'
  table.write_text(
    'file\tperson\temotion\tspeech\taudio_lag_ms\tsplit\n'
    'a.mp4\tann\thappy\tyes\t+80\tval\n'
    'c.mp4\tbob\t-\tno\t-\ttrain\n'
  )
  ann, bob = clips.list_clips([str(table)])
  assert ann == clips.Clip(
    tmp_path / 'video' / 'a.mp4', 'a.mp4', 'ann', 'happy', 'yes', 'val', 80.0
  )
  assert bob.path == tmp_path / 'c.mp4' and bob.lag_ms == 0
  found = clips.list_clips([str(tmp_path / 'video'), str(tmp_path / 'c.mp4')])
  assert [c.id for c in found] == ['a', 'b', 'c']


def test_bad_sources(tmp_path):
  (tmp_path / 'a.tsv').write_text('name\nx\n')
  (tmp_path / 'v.mp4').touch()
  (tmp_path / 'empty').mkdir()
  for sources, reason in [
    (['nowhere'], 'nowhere is not there'),
    (['a.tsv'], 'no column `file`'),
    (['empty'], 'no video file'),
    (['v.mp4', 'v.mp4'], '2 clips would be named v'),
  ]:
    with pytest.raises(media.MediaError, match=reason):
      clips.list_clips([str(tmp_path / s) for s in sources])


def test_the_manifest_keeps_other_files(tmp_path):
  path = tmp_path / 'manifest.tsv'
  prepare.write_manifest(path, [{'id': 'a', 'status': 'ok'}, {'id': 'b'}])
  prepare.write_manifest(path, [{'id': 'b', 'status': 'skipped'}])
  with open(path, newline='') as f:
    rows = list(csv.DictReader(f, delimiter='\t'))
  assert list(rows[0]) == list(prepare.MANIFEST_COLUMNS)
  assert [(r['id'], r['status']) for r in rows] == [
    ('a', 'ok'),
    ('b', 'skipped'),
  ]


def test_bad_command_lines(tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(prepare, 'find_model', lambda path: path)
  assert prepare.main([str(tmp_path / 'x.mp4'), '--out', str(tmp_path)]) == 2
  assert 'is not there' in capsys.readouterr().err
  (tmp_path / 'v.mp4').touch()
  out = tmp_path / 'v.mp4' / 'out'
  assert prepare.main([str(tmp_path / 'v.mp4'), '--out', str(out)]) == 2


def test_real_clips(test_data, tmp_path):
  pytest.importorskip('mediapipe')
  model = test_data.parent / 'nets' / 'face_landmarker.task'
  if not model.is_file():
    pytest.skip('no landmarker model')
  names = ('grid_bbaf2n.mpg', 'mead_M030_front_happy_level3_001.mp4')
  sources = [str(test_data / 'video' / name) for name in names]
  argv = [*sources, '--out', str(tmp_path), '--landmarker', str(model)]
  assert prepare.main([*argv, '--workers', '1', '--size', '128']) == 0
  with open(tmp_path / 'manifest.tsv', newline='') as f:
    rows = list(csv.DictReader(f, delimiter='\t'))
  assert [(r['status'], r['frames']) for r in rows] == [
    ('ok', '75'),
    ('ok', '94'),
  ]
  head = records.read_head(records.clip_paths(tmp_path)[0])
  assert head.found.mean() > 0.95
  assert 0.2 < head.landmarks[:, 1, :2].mean() < 0.8  # the nose
  assert len((tmp_path / 'blendshapes.json').read_text()) > 500
