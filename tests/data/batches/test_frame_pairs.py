import dataclasses
import json
import pickle

import numpy as np
import pytest

from takin_jax import face
from takin_jax.data import records
from takin_jax.data.batches import frame_pairs
from takin_jax.data.faces import geometry
from takin_jax.data.records import clip_geometry
from tests.data.fake_records import FRAMES, write_clip


@pytest.fixture
def folder(tmp_path):
  write_clip(tmp_path, 'a', 'ann', seed=1)
  write_clip(tmp_path, 'b', 'ann', seed=2)
  write_clip(tmp_path, 'c', 'bob', frames=30, seed=3)
  write_clip(tmp_path, 'v', 'val', split='val', seed=4)
  return tmp_path


def assert_same(a, b):
  assert a.keys() == b.keys()
  for key in a:
    np.testing.assert_array_equal(a[key], b[key])


def check_equation(sample, name):
  """x = scale * (kp @ R + exp) + t."""
  rotation = geometry.rotation_matrix(sample[f'{name}_pose'])
  x = sample['source_kp'] @ rotation + sample[f'{name}_exp']
  x = sample[f'{name}_scale'] * x + sample[f'{name}_t']
  np.testing.assert_allclose(x, sample[f'{name}_x'], atol=1e-5)


def test_a_pair_depends_on_seed_and_index_alone(folder):
  cfg = frame_pairs.PairConfig(str(folder), size_px=32, jitter=0.1)
  source = frame_pairs.PairSource(cfg, seed=5)
  again = pickle.loads(pickle.dumps(frame_pairs.PairSource(cfg, seed=5)))
  assert_same(source[7], again[7])
  other = frame_pairs.PairSource(cfg, seed=6)
  assert any(
    not np.array_equal(source[i]['driving'], other[i]['driving'])
    for i in range(4)
  )


@pytest.mark.parametrize('flip', [0.0, 1.0])
def test_geometry_reproduces_the_keypoints(folder, flip):
  cfg = frame_pairs.PairConfig(str(folder), size_px=32, flip=flip)
  source = frame_pairs.PairSource(cfg, seed=0)
  for index in range(5):
    check_equation(source[index], 'source')
    check_equation(source[index], 'driving')
  assert source[0]['source'].dtype == np.uint8
  dark_side = source[0]['source'][:, -1 if not flip else 0]
  assert dark_side.max() < 30


def test_flip_twice_is_the_identity(folder):
  cfg = frame_pairs.PairConfig(str(folder), size_px=32)
  sample = frame_pairs.PairSource(cfg, seed=0)[0]
  assert_same(sample, frame_pairs.flip(frame_pairs.flip(sample)))
  mirrored = geometry.LANDMARKS[face.MIRRORED]
  pairs = np.sort([geometry.LANDMARKS, mirrored], 0).T.tolist()
  for pair in ([61, 291], [159, 386], [145, 374], [33, 263], [13, 13]):
    assert pair in pairs


def test_chosen_landmarks_mirror_with_the_picture(folder):
  cfg = frame_pairs.PairConfig(str(folder), size_px=32, flip=0.0)
  chosen = geometry.LANDMARKS.tolist()
  sample = frame_pairs.PairSource(cfg, 0, chosen)[0]
  mirrored = frame_pairs.flip(sample)
  assert_same(sample, frame_pairs.flip(mirrored))
  # The landmarks of the keypoints are the keypoints, mirrored or not.
  for pair in (sample, mirrored):
    for name in ('source', 'driving'):
      np.testing.assert_allclose(
        pair[f'{name}_landmarks'][0], pair[f'{name}_x'][:, :2], atol=1e-6
      )


def test_more_pictures_of_the_person_come_from_all_their_clips(folder):
  cfg = frame_pairs.PairConfig(str(folder), size_px=32, flip=0.0, others=3)
  source = frame_pairs.PairSource(cfg, seed=0)
  assert [x.tolist() for x in source._same] == [[0, 1], [0, 1], [2]]
  pictures = np.concatenate([source[i]['others'] for i in range(20)])
  assert pictures.shape == (60, 32, 32, 3) and pictures.dtype == np.uint8
  rng = np.random.default_rng(0)
  source._pairs.image = lambda clip, frame: np.array([clip, frame])
  drawn = np.concatenate([source._draw_others(rng, 0) for _ in range(20)])
  assert set(drawn[:, 0]) == {0, 1} and 1 not in drawn[:, 1]
  assert set(source._draw_others(rng, 2)[:, 0]) == {2}
  assert 'others' not in frame_pairs.flip(
    frame_pairs.PairSource(dataclasses.replace(cfg, others=0), 0)[0]
  )


def test_only_frames_with_a_face_of_the_right_split(folder):
  cfg = frame_pairs.PairConfig(str(folder), size_px=32, flip=0.0, hard=0.0)
  source = frame_pairs.PairSource(cfg, seed=0)
  reds = set()
  for index in range(60):
    pair = source[index]
    red = [pair[name][16, 4, 0] for name in ('source', 'driving')]
    reds |= {round(int(r) / 5) for r in red}
  assert 1 not in reds
  assert len(reds) > FRAMES  # the longer clip is seen as well


def test_hard_pairs_differ_more(folder):
  def change(hard):
    cfg = frame_pairs.PairConfig(str(folder), size_px=32, hard=hard)
    source = frame_pairs.PairSource(cfg, seed=0)
    samples = [source[i] for i in range(40)]
    return np.mean(
      [np.abs(s['source_lips'] - s['driving_lips']) for s in samples]
    )

  assert change(1.0) > 1.2 * change(0.0)


def test_clips_of_a_person_share_canonical_keypoints(folder):
  clips = {c.id: c for c in clip_geometry.load_geometry(folder)}
  np.testing.assert_array_equal(clips['a'].kp, clips['b'].kp)
  assert np.abs(clips['a'].kp - clips['c'].kp).max() > 0.01


def test_batches_go_on_from_a_saved_position(folder):
  data = {'records': str(folder), 'batch_size': 3, 'size_px': 16}
  batches = iter(frame_pairs.batches(data, seed=0))
  next(batches)
  position = json.loads(json.dumps(batches.get_state()))
  want = next(batches)
  again = iter(frame_pairs.batches(data, seed=0))
  again.set_state(position)
  assert_same(next(again), want)
  assert want['source'].shape == (3, 16, 16, 3)
  assert want['driving_lips'].shape == (3, 1)


def test_processes_share_a_batch(folder):
  data = {'records': str(folder), 'batch_size': 4}
  whole = next(iter(frame_pairs.batches(data, seed=0)))
  parts = [next(iter(frame_pairs.batches(data, 0, (i, 2)))) for i in range(2)]
  for i, part in enumerate(parts):
    np.testing.assert_array_equal(
      whole['source_x'][2 * i : 2 * i + 2], part['source_x']
    )
  with pytest.raises(ValueError, match='multiple of 3'):
    frame_pairs.batches(data, 0, (0, 3))


def test_eval_pairs_are_fixed(folder):
  pairs = frame_pairs.eval_pairs(folder, size_px=32)
  assert pairs['source'].shape == (4, 32, 32, 3)
  assert pairs['clip'].tolist() == [0, 0, 0, 0]
  check_equation({k: v[2] for k, v in pairs.items()}, 'driving')
  with pytest.raises(records.RecordsError, match="split 'test'"):
    frame_pairs.eval_pairs(folder, 'test')


def test_no_records(tmp_path):
  with pytest.raises(records.RecordsError, match='holds no records'):
    frame_pairs.eval_pairs(tmp_path)
  write_clip(tmp_path, 'a', 'ann')
  path = tmp_path / 'clips' / 'a.array_record'
  path.write_bytes(path.read_bytes()[:100])
  with pytest.raises(records.RecordsError, match='damaged'):
    frame_pairs.eval_pairs(tmp_path)
