"""Where the shots of a video are."""

import dataclasses

import numpy as np
import pytest

from takin_jax.data import faces
from takin_jax.data.prepare import cuts, quality, shots
from tests.data import fake_faces


def breaks(images):
  flow = cuts.Flow()
  for image in images:
    flow.add(image)
  return flow.breaks()


def test_motion_is_no_cut():
  ramp = np.linspace(0, 255, 32).astype(np.uint8)
  still = np.tile(ramp[None, :, None], (32, 1, 3))
  moving = np.stack([np.roll(still, 2 * k, 1) for k in range(30)])
  assert breaks(moving) == ([], [])
  jump = np.concatenate([moving[:1]] * 10 + [moving[8:9]] * 10)
  assert breaks(jump) == ([10], [])
  other = np.concatenate([moving[:10], moving[:10] // 2])
  assert breaks(other) == ([10], [10])
  there_and_back = np.repeat(np.stack([still, still // 2, still]), 10, 0)
  assert breaks(there_and_back) == ([10, 20], [10, 20])
  assert breaks(moving[:1]) == ([], [])


def scan_of(frames, cuts=(), jumps=()):
  looks = np.zeros(-(-frames // 8), quality.LOOK)
  looks['frame'] = np.arange(len(looks)) * 8
  return shots.Scan(frames, (160, 120), list(jumps), list(cuts), looks, 9)


@pytest.mark.parametrize(
  ('frames', 'cuts', 'ends', 'scenes'),
  [
    (750, [], [750], [0]),
    (751, [], [376, 751], [0, 0]),
    (100, [40], [40, 100], [0, 1]),
    (2000, [10, 900], [10, 455, 900, 1450, 2000], [0, 1, 1, 3, 3]),
    (1, [], [1], [0]),
  ],
)
def test_shots_follow_each_other(frames, cuts, ends, scenes):
  parts = shots.split(scan_of(frames, cuts))
  assert [p.last for p in parts] == ends
  assert [p.first for p in parts] == [0, *ends[:-1]]
  assert [p.scene for p in parts] == scenes
  assert all(p.frames <= shots.MAX_FRAMES for p in parts)
  looked = np.concatenate([p.looks['frame'] for p in parts])
  np.testing.assert_array_equal(looked, np.arange(0, frames, 8))


def test_jumps_are_counted_from_the_shot():
  first, second = shots.split(scan_of(100, [40], [10, 40, 70]))
  assert (first.jumps, second.jumps) == ([10], [30])


def test_a_scan_sees_faces_and_cuts(tmp_path, monkeypatch):
  monkeypatch.setattr(faces, 'landmarker', fake_faces.landmarker)
  one, other = fake_faces.scene(30), fake_faces.scene(34, 20, background=100)
  path = tmp_path / 'a.mp4'
  fake_faces.write_video(path, np.concatenate([one, other]))
  seen = shots.scan(path, 'model')
  assert (seen.frames, seen.size_px, seen.cuts) == (64, (160, 120), [30])
  assert seen.looks['frame'].tolist() == list(range(0, 64, 8))
  assert (seen.looks['faces'] == 1).all()
  np.testing.assert_allclose(seen.looks['box'][0], [60, 50, 90, 80], atol=2)
  np.testing.assert_allclose(seen.looks['box'][-1, 0], 23, atol=2)


def test_a_scan_is_kept_for_its_video(tmp_path):
  video, path = tmp_path / 'v.mp4', tmp_path / 'scans' / 'v.npz'
  video.write_bytes(b'123456789')
  assert shots.load(path, video) is None
  seen = scan_of(100, [40], [10])
  shots.save(path, seen)
  loaded = shots.load(path, video)
  for name, value in dataclasses.asdict(seen).items():
    np.testing.assert_array_equal(getattr(loaded, name), value)
  assert len(shots.split(loaded)) == 2
  video.write_bytes(b'another')
  assert shots.load(path, video) is None
