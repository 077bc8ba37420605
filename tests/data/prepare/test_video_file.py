"""One video to the records of its shots."""

import contextlib

from array_record.python import array_record_module
import cv2
import numpy as np
import pytest

from takin_jax.data import faces, records
from takin_jax.data.prepare import clips, offset, quality, shot_record
from takin_jax.data.prepare import video_file as lib
from takin_jax.data.prepare.shot_record import Job
from tests.data import fake_faces, media_files
from tests.data.fake_faces import scene, write_video

SIZE = 64
LAX = quality.Limits(min_face_px=0, min_sharpness=0)


@pytest.fixture(autouse=True)
def fake_landmarker(monkeypatch):
  """So that MediaPipe is not needed."""
  monkeypatch.setattr(faces, 'landmarker', fake_faces.landmarker)


def make(path, out, limits=LAX, face_net=None, av_offset='off', **kwargs):
  """Prepares one video in this process; returns its lines."""
  (out / 'clips').mkdir(parents=True, exist_ok=True)
  labels = {'person': 'p', 'speech': 'yes'} | kwargs
  clip = clips.Clip(path, path.name, **labels)
  job = Job(out, SIZE, out / 'model', limits, face_net, av_offset)
  return lib.prepare_file(clip, job)


def test_a_clip_becomes_a_record(tmp_path):
  sound = media_files.tone(1.6)
  path = write_video(tmp_path / 'a b.mp4', scene(), sound)
  kwargs = dict(split='val', emotion='happy', level='3', lag_ms=-40.0)
  (line,) = make(path, tmp_path, **kwargs)
  assert line['status'] == 'ok' and line['frames'] == 40
  assert line['face_px'] == pytest.approx(30, abs=2)
  assert line['found'] == 1 and line['level'] == '3'
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
  assert head.meta['speech'] is True and head.meta['lag_ms'] == -40
  assert head.meta['crop'][2] == pytest.approx(1.7 * 30, abs=4)
  picked = ('emotion', 'split', 'frames', 'size_px', 'jumps', 'source_fps')
  assert [head.meta[k] for k in picked] == ['happy', 'val', 40, SIZE, [], 25.0]
  # The face fills 1 / 1.7 of the crop, 6 % of it below the middle.
  x0, y0 = head.landmarks[20, 0, :2]
  x1, y1 = head.landmarks[20, 1, :2]
  assert x1 - x0 == pytest.approx(1 / 1.7, abs=0.06)
  assert (y0 + y1) / 2 == pytest.approx(0.5 + 0.06 / 1.7, abs=0.03)
  assert not (tmp_path / 'scans').exists()


def test_the_crops_are_jpeg_in_the_usual_colours(tmp_path):
  images = scene()
  images[..., 2] = np.where(images[..., 2] > 128, 170, 0)  # yellowish
  make(write_video(tmp_path / 'a.mp4', images), tmp_path)
  (record,) = records.clip_paths(tmp_path)
  reader = array_record_module.ArrayRecordReader(str(record))
  assert reader.num_records() == 41
  bgr = cv2.imdecode(np.frombuffer(reader.read([7])[0], np.uint8), 1)
  assert bgr.shape == (SIZE, SIZE, 3)
  np.testing.assert_allclose(bgr[35, 32], [170, 220, 220], atol=12)


@pytest.fixture
def three_shots(tmp_path):
  """Shots of 30, 12 and 40 frames: a loud one, silence, a softer one."""
  images = [scene(30), scene(12, 20, 100), scene(40, 110)]
  sound = np.concatenate(
    [
      media_files.tone(1.2),
      np.zeros(7680, np.float32),
      media_files.tone(1.6) / 2,
    ]
  )
  return write_video(tmp_path / 'a.mp4', np.concatenate(images), sound)


def test_shots_become_clips(tmp_path, three_shots):
  first, second, third = make(three_shots, tmp_path)
  assert [first['id'], second['id'], third['id']] == ['a_000', 'a_001', 'a_002']
  assert 'too short: 0.48 s' in second['reason']
  assert (third['status'], third['start_s']) == ('ok', '1.68')
  one, other = map(records.read_head, records.clip_paths(tmp_path))
  assert (len(one.found), len(other.found)) == (30, 40)
  assert other.meta['first_frame'] == 42 and other.meta['jumps'] == []
  assert other.meta['crop'][0] > one.meta['crop'][0] + 40
  assert len(one.audio) == 30 * 640 and len(other.audio) > 24_000
  for head, wanted in ((one, 16_384), (other, 8192)):
    for part in (head.audio[800:4000], head.audio[14_000:18_000]):
      assert np.abs(part).max() == pytest.approx(wanted, rel=0.2)


def test_interrupted_work_goes_on(tmp_path, three_shots, monkeypatch):
  lines = make(three_shots, tmp_path)
  path = tmp_path / 'clips' / 'a_002.array_record'
  whole = path.read_bytes()
  path.unlink()
  monkeypatch.setattr(lib.shots, 'scan', lambda *_: pytest.fail('seen again'))
  made = []
  make_record = lib.make_record
  monkeypatch.setattr(
    lib,
    'make_record',
    lambda path, *args: made.append(path.name) or make_record(path, *args),
  )
  assert make(three_shots, tmp_path) == lines
  assert made == ['a_002.array_record']
  assert path.read_bytes() == whole
  # Other limits are another decision over the same scan.
  strict = quality.Limits(min_face_px=40, min_sharpness=0)
  path.unlink()
  reasons = [line.get('reason') for line in make(three_shots, tmp_path, strict)]
  assert reasons[0] is None and 'face too small' in reasons[2]


def test_people_of_scenes(tmp_path, three_shots):
  """Who is only named after the file may be somebody else after a cut."""
  people = [line['person'] for line in make(three_shots, tmp_path)]
  assert people == ['p', 'p', 'p']
  out = tmp_path / 'guessed'
  people = [line['person'] for line in make(three_shots, out, person='a')]
  assert people == ['a_000', 'a_001', 'a_002']
  assert records.read_head(records.clip_paths(out)[0]).meta['person'] == 'a_000'


def test_long_shots_are_divided(tmp_path, monkeypatch):
  monkeypatch.setattr(lib.shots, 'MAX_FRAMES', 50)
  path = write_video(tmp_path / 'a.mp4', scene(101))
  lines = make(path, tmp_path, person='a')
  assert [line['frames'] for line in lines] == [34, 33, 34]
  assert {line['person'] for line in lines} == {'a'}
  frames = records.Frames(records.clip_paths(tmp_path), [34, 33, 34], SIZE)
  assert frames(2, 33).shape == (SIZE, SIZE, 3)


def test_finished_clips_are_kept(tmp_path, monkeypatch):
  path = write_video(tmp_path / 'a.mp4', scene())
  lines = make(path, tmp_path)
  monkeypatch.setattr(lib.shots, 'scan', lambda *_: pytest.fail('made again'))
  assert make(path, tmp_path) == lines


def test_parts_replace_a_record_of_another_size(tmp_path, three_shots):
  old = tmp_path / 'clips' / 'a.array_record'
  make(write_video(tmp_path / 'b.mp4', scene()), tmp_path)
  (tmp_path / 'clips' / 'b.array_record').rename(old)
  (line,) = make(three_shots, tmp_path)
  assert (line['id'], line['status']) == ('a', 'ok')  # finished: it stays
  clip = clips.Clip(three_shots, 'a.mp4', 'p')
  lib.prepare_file(clip, Job(tmp_path, 2 * SIZE, old, LAX))
  names = [path.name for path in records.clip_paths(tmp_path)]
  assert names == ['a_000.array_record', 'a_002.array_record']


@pytest.mark.parametrize(
  ('images', 'reason'),
  [
    (scene(20), 'too short: 0.80 s'),
    (scene()[..., :1] // 3 * np.ones(3, np.uint8), 'face in 0% of the frames'),
    (np.maximum(scene(), scene(x=10)), 'a second face in 100%'),
    (scene() * np.array([1, 0.8, 0.6]).astype(np.float16), 'turned aside'),
  ],
)
def test_reasons_to_skip(tmp_path, images, reason):
  path = write_video(tmp_path / 'a.mp4', images.astype(np.uint8))
  (line,) = make(path, tmp_path)
  assert line['status'] == 'skipped' and reason in line['reason']
  assert not list((tmp_path / 'clips').iterdir())


def test_unreadable_and_odd_files_are_skipped(tmp_path, monkeypatch):
  path = tmp_path / 'a.mp4'
  path.write_bytes(b'no video')
  with monkeypatch.context() as patch:
    patch.setattr(faces, 'landmarker', contextlib.nullcontext)
    assert 'cannot be read' in make(path, tmp_path)[0]['reason']
  assert 'is not a file' in make(tmp_path / 'b.mp4', tmp_path)[0]['reason']
  monkeypatch.setattr(lib.shots, 'scan', lambda *_: 1 / 0)
  assert 'ZeroDivisionError' in make(path, tmp_path)[0]['reason']


@pytest.mark.parametrize(
  ('angle', 'status'), [(0.5, 'ok'), (1.5, 'skipped')], ids=['one', 'two']
)
def test_a_shot_shows_one_person(tmp_path, monkeypatch, angle, status):
  """Vectors of the faces turn by `angle` in the middle of the shot."""
  turn = np.repeat([0, angle], 4)
  vectors = np.stack([np.cos(turn), np.sin(turn)], -1)

  def net(images, landmarks):
    assert images.shape == (8, SIZE, SIZE, 3) and len(landmarks) == 8
    return vectors

  monkeypatch.setattr(shot_record, '_open_net', lambda path: net)
  path = write_video(tmp_path / 'a.mp4', scene())
  (line,) = make(path, tmp_path, face_net=tmp_path / 'net.onnx')
  assert line['status'] == status
  if status == 'ok':
    assert line['similarity'] == pytest.approx(np.cos(angle), abs=0.01)
  else:
    assert 'several people: their faces are 0.07 alike' in line['reason']


@pytest.mark.parametrize(
  ('mode', 'estimated', 'taken', 'late'),
  [
    ('off', (100, 0.6, True), 40, None),
    ('report', (100, 0.6, True), 40, 140),
    ('correct', (100, 0.6, True), 140, 140),
    ('correct', (-40, 0.6, True), 40, 0),  # too little to be sure of
    ('correct', (100, 0.2, False), 40, None),
    ('correct', None, 40, None),
  ],
)
def test_the_lag_of_the_sound(
  tmp_path, monkeypatch, mode, estimated, taken, late
):
  guess = estimated and offset.Offset(*estimated)
  monkeypatch.setattr(offset, 'estimate', lambda *_: guess)
  sound = np.zeros(25_600, np.float32)
  sound[12_800:] = media_files.tone(0.8)
  path = write_video(tmp_path / 'a.mp4', scene(), sound)
  (line,) = make(path, tmp_path, av_offset=mode, speech='-', lag_ms=40.0)
  head = records.read_head(records.clip_paths(tmp_path)[0])
  assert head.meta['lag_ms'] == taken
  assert line.get('sound_late_ms') == late
  begins = np.flatnonzero(np.abs(head.audio) > 3000)[0]
  assert begins == pytest.approx(12_800 - 16 * taken, abs=400)
  # Sound that clearly goes with the lips is speech.
  speech = mode != 'off' and bool(guess) and guess.clear
  assert head.meta['speech'] is speech
  assert line['speech'] == ('yes' if speech else '-')


def test_sound_that_lies_apart(tmp_path):
  path = write_video(tmp_path / 'a.mp4', scene())
  sound = media_files.write_sound(
    tmp_path / 'a.wav', media_files.tone(1.6), 16_000
  )
  make(path, tmp_path)
  make(path, tmp_path / 'with', sound=sound)
  silent, heard = (
    records.read_head(records.clip_paths(out)[0]).audio
    for out in (tmp_path, tmp_path / 'with')
  )
  assert (len(silent), len(heard)) == (0, 25_600)
