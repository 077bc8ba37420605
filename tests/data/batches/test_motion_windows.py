import dataclasses
import json

import numpy as np
import pytest

from takin_jax import face
from takin_jax.data.batches import (
  motion_clips,
  motion_windows,
  window_changes,
)
from takin_jax.data.batches.motion_clips import MotionClip
from takin_jax.data.batches.motion_windows import (
  WindowConfig,
  WindowSource,
  cut,
)
from takin_jax.data.faces import expressions
from takin_jax.data.records import RecordsError
from tests.data.fake_records import write_clip

FRAMES, WINDOW, PREFIX = 30, 12, 4


@pytest.fixture
def folder(tmp_path):
  write_clip(tmp_path, 'a', 'ann', frames=FRAMES, speech=True)
  write_clip(tmp_path, 'b', 'bob', frames=FRAMES, seed=1, emotion='happy')
  write_clip(tmp_path, 'v', 'vic', 'val', frames=FRAMES, seed=2, speech=True)
  return tmp_path


def make_clip(
  speech=True, emotion='-', person='p', exp=0.0, kp=0.0, landmarks=True
):
  """A clip whose motion and sound tell the frame's number."""
  number = np.arange(FRAMES, dtype=np.float32)
  motion = np.repeat(number[:, None], 70, 1)
  motion[:, face.EXP] += exp
  return MotionClip(
    id='clip',
    person=person,
    emotion=emotion,
    speech=speech,
    motion=motion,
    kp=np.full((21, 3), kp, np.float32),
    audio=np.repeat(number, 640).astype(np.int16),
    landmark_keypoints=landmarks,
  )


def test_clips_of_a_split(folder):
  train, val = (motion_clips.load_clips(folder, s) for s in ('train', 'val'))
  assert [c.id for c in train] == ['a', 'b'] and [c.id for c in val] == ['v']
  assert [c.speech for c in train] == [True, False]
  for clip in train:
    assert clip.motion.shape == (FRAMES, 70)
    assert np.isfinite(clip.motion).all() and clip.motion.dtype == np.float32
    head = clip.motion[:, face.HEAD]
    assert (head >= motion_clips.POSE_LOW).all()
    assert (head <= motion_clips.POSE_HIGH).all()
    np.testing.assert_allclose(np.median(head, 0)[0], 1, atol=0.05)
  with pytest.raises(RecordsError, match='test'):
    motion_clips.load_clips(folder, 'test')


def test_stats_have_a_floor_and_prefer_speech():
  quiet = make_clip(speech=False, exp=100.0)
  talk = make_clip()
  talk.motion[:, 5] = 2.0
  mean, std = motion_clips.motion_stats([quiet, talk])
  assert mean[5] == 2.0 and std[5] == np.float32(motion_clips.MIN_STD)
  np.testing.assert_allclose(std[6], talk.motion[:, 6].std(), rtol=1e-5)
  assert motion_clips.motion_stats([quiet])[0][0] > 100


def test_directions_are_what_moves_together():
  rng, talk = np.random.default_rng(0), make_clip()
  motion = rng.normal(size=(1000, 70)).astype(np.float32)
  for number in (19, 25, 28):  # lids among the numbers of the face
    motion[:, number] *= 0.1
    motion[:, number] += 5 * motion[:, 19]
  talk = dataclasses.replace(talk, motion=motion)
  mean, std = motion_clips.motion_stats([talk])
  mix = motion_clips.motion_directions([talk])
  scaled = (talk.motion - mean) / std @ np.linalg.inv(mix)
  for part in motion_clips.PARTS:  # as independent as noise
    covariance = np.cov(scaled[:, part].T)
    power = np.diag(covariance)
    np.testing.assert_allclose(covariance, np.diag(power), atol=1e-3)
    assert power[0] == pytest.approx(1, rel=1e-3)
    assert (power < 1.001).all()  # what hardly moves keeps a floor
  first = np.abs(mix[face.LIPS.stop])
  assert set(np.argsort(first)[-3:]) == {19, 25, 28}
  assert not mix[face.LIPS, face.LIPS.stop :].any()
  assert not mix[face.HEAD, face.EXP].any()


def test_emotions_count_people_once_and_relative_to_rest():
  middle = make_clip().mean_exp[0]

  def emotions_of(*shown):
    clips = [
      make_clip(person='a', speech=False, landmarks=False),
      make_clip(person='b', exp=0.0, kp=4.0, landmarks=False),
      *(
        make_clip(False, 'happy', person, exp, kp, landmarks=False)
        for person, exp, kp in shown
      ),
    ]
    return motion_clips.named_emotions(clips)

  a, b, c = ('a', 1.0, 0.0), ('b', 5.0, 4.0), ('c', 3.0, 2.0)
  emotions = emotions_of(a, b, b)
  assert emotions.keys() == {'neutral', 'happy'}
  np.testing.assert_allclose(emotions['neutral'], middle)
  np.testing.assert_allclose(emotions['happy'], middle + (1 + 5) / 2)
  # c never rests: the difference would be that of the shape.
  np.testing.assert_allclose(emotions_of(a, c)['happy'], middle + 1)
  # 2 + 3 against the average rest of 2.
  np.testing.assert_allclose(emotions_of(c)['happy'], middle + 3)


def test_emotions_of_landmarks_are_nobodys_shape():
  clips = [make_clip(), make_clip(emotion='sad', person='q', kp=2.0)]
  emotions = motion_clips.named_emotions(clips)
  assert emotions.keys() == {'neutral', *expressions.EXPRESSIONS}
  sad = (emotions['sad'] - emotions['neutral']).reshape(-1, 3)
  assert (sad[list(face.MOUTH_CORNERS), 1] > 0).all()
  assert not sad[list(face.RIGID)].any() and not sad[:, 2].any()


def test_emotions_follow_the_frames_and_people_that_show_them():
  middle = make_clip().mean_exp[0]
  strong = np.zeros(FRAMES)
  strong[-1] = 1.0  # only the last frame, whose number is 29
  half = np.full(FRAMES, 0.5 / FRAMES)
  clips = [
    make_clip(person='a'),
    make_clip(person='b'),
    dataclasses.replace(make_clip(person='a', emotion='sad'), strength=strong),
    dataclasses.replace(
      make_clip(person='b', emotion='sad', exp=6.0), strength=half
    ),
  ]
  clips = [dataclasses.replace(c, landmark_keypoints=False) for c in clips]
  sad = motion_clips.named_emotions(clips)['sad']
  a, b = FRAMES - 1 - middle, 6.0
  # a counts twice as much as b.
  np.testing.assert_allclose(sad, middle + (2 * a + b) / 3, rtol=1e-5)


def test_strength_comes_from_the_records(folder):
  names = ['mouthSmileLeft', *(f'shape{k}' for k in range(51))]
  (folder / 'blendshapes.json').write_text(json.dumps(names))
  clip = motion_clips.load_clips(folder)[1]
  assert clip.emotion == 'happy' and len(clip.strength) == FRAMES
  assert clip.strength[1] == 0  # no face there
  assert (np.delete(clip.strength, 1) > 0).all()


def test_cut_keeps_sound_motion_and_prefix_in_step():
  sample = cut(make_clip(), 10, WINDOW, PREFIX, emotion_frames=3)
  np.testing.assert_allclose(sample['motion'][:, 0], np.arange(10, 22))
  np.testing.assert_allclose(sample['prefix'][:, 0], np.arange(6, 10))
  assert sample['prefix_mask'].all() and sample['frame_mask'].all()
  heard = np.rint(sample['wave'][320::640] * 32768)
  np.testing.assert_array_equal(heard, np.arange(10, 10 + len(heard)))
  assert len(sample['wave']) == 400 + 320 * (2 * WINDOW - 1)
  np.testing.assert_allclose(sample['emotion'], 15)
  assert not sample['drop_audio']


def test_cut_marks_what_the_clip_does_not_have():
  sample = cut(make_clip(), 25, WINDOW, PREFIX, 3)
  assert sample['frame_mask'].sum() == 5
  np.testing.assert_allclose(sample['motion'][5:], 29)
  assert not sample['wave'][5 * 640 :].any()
  sample = cut(make_clip(), 1, WINDOW, PREFIX, 3)
  assert sample['prefix_mask'].tolist() == [False, False, False, True]
  silent = cut(make_clip(speech=False), 0, WINDOW, PREFIX, 3)
  assert silent['drop_audio'] and not silent['wave'].any()


def test_speed_changes_sound_and_motion_alike():
  sample = cut(make_clip(), 2, WINDOW, PREFIX, 3, speed=1.5)
  wanted = 2 + 1.5 * np.arange(WINDOW)
  np.testing.assert_allclose(sample['motion'][:, 0], wanted)
  heard = sample['wave'][: WINDOW * 640 : 2 * 640] * 32768
  np.testing.assert_allclose(heard, wanted[::2], rtol=1e-3)


def test_flip_twice_is_nothing():
  rng = np.random.default_rng(0)
  sample = cut(make_clip(), 5, WINDOW, PREFIX, 3)
  for key in ('motion', 'prefix', 'emotion', 'source_kp'):
    sample[key] = rng.normal(size=sample[key].shape).astype(np.float32)
  once = window_changes.flip(sample)
  twice = window_changes.flip(once)
  for key, value in sample.items():
    np.testing.assert_array_equal(twice[key], value)
  np.testing.assert_array_equal(
    once['motion'][:, -2:], -sample['motion'][:, -2:]
  )
  np.testing.assert_array_equal(once['motion'][:, -3], sample['motion'][:, -3])
  # Keypoint 0, a mouth corner, becomes the other corner.
  np.testing.assert_array_equal(once['emotion'][0], -sample['emotion'][3])


def test_a_shifted_emotion_moves_motion_too():
  sample = cut(make_clip(), 5, WINDOW, PREFIX, 3)
  offset = np.arange(63, dtype=np.float32)
  shifted = window_changes.shift_emotion(sample, offset)
  for key in ('motion', 'prefix'):
    change = shifted[key] - sample[key]
    np.testing.assert_allclose(change[:, :63] - offset, 0, atol=1e-5)
    assert not change[:, 63:].any()
  np.testing.assert_allclose(shifted['emotion'] - sample['emotion'], offset)


def test_random_windows_are_the_same_each_time(folder):
  cfg = WindowConfig(str(folder), min_frames=6, emotion_frames=3)
  source = WindowSource(cfg, WINDOW, PREFIX, seed=0)
  again = WindowSource(cfg, WINDOW, PREFIX, seed=0)
  samples = [source[i] for i in range(40)]
  for key, value in again[7].items():
    np.testing.assert_array_equal(samples[7][key], value)
  speech = np.mean([not s['drop_audio'] for s in samples])
  assert 0.5 < speech < 1.0
  assert all(s['frame_mask'].sum() >= 5 for s in samples)
  for sample in samples:
    assert all(
      v.dtype in (np.float32, bool) and np.isfinite(v).all()
      for v in sample.values()
    )


def test_batches_go_on_from_a_saved_position(folder):
  data = dict(records=str(folder), batch_size=3, min_frames=6)
  batches = iter(motion_windows.batches(data, WINDOW, PREFIX, seed=0))
  next(batches)
  position = json.loads(json.dumps(batches.get_state()))
  wanted = next(batches)
  again = iter(motion_windows.batches(data, WINDOW, PREFIX, seed=0))
  again.set_state(position)
  for key, value in next(again).items():
    np.testing.assert_array_equal(value, wanted[key])
  assert wanted['motion'].shape == (3, WINDOW, 70)


def test_eval_windows_follow_each_other(folder):
  windows = motion_windows.eval_windows(
    dict(records=str(folder)), WINDOW, PREFIX
  )
  assert windows['motion'].shape == (2, WINDOW, 70)
  np.testing.assert_array_equal(windows['prefix_mask'], [[0] * 4, [1] * 4])
  np.testing.assert_array_equal(
    windows['prefix'][1], windows['motion'][0, -PREFIX:]
  )
  assert not motion_windows.eval_windows(
    dict(records=str(folder)), WINDOW, PREFIX, 'train'
  )['drop_audio'].any()
