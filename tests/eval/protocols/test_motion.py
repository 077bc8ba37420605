"""`background`, `replay` and `quiet` with tiny weights and a made-up judge."""

import numpy as np
import pytest

from takin_jax.errors import InputError
from takin_jax.eval.metrics import backdrops
from takin_jax.eval.protocols import background, clips, quiet, replay
from tests.data.fake_records import FRAMES
from tests.eval import fake_judge
from tests.eval.options import options


@pytest.fixture
def whole_faces(monkeypatch):
  """The upper half is the person: nobody cuts anything out."""

  def mask(image, landmarks):
    del landmarks
    size = len(image)
    return np.repeat([[1.0], [0.0]], size // 2, 0) * np.ones((1, size))

  monkeypatch.setattr(background.segment, 'person_mask', mask)


def test_people_first(records):
  found = clips.load(records, 64, 'val', ['b', 'c', 'd'])
  persons = {'b': 'ann', 'c': 'ann', 'd': 'dan'}
  for clip in found:
    clip.geo.meta['person'] = persons[clip.id]
  ordered = [clip.id for clip in clips.people_first(found)]
  assert ordered == ['b', 'd', 'c']


def test_background(tiny_candidate, records, portraits, whole_faces):
  args = options(
    background,
    *('--portraits', portraits, '--count', 2),
    records=records,
  )
  report = background.run(args, tiny_candidate, fake_judge.judge)
  rows = report.tables['portraits'].rows
  assert list(rows) == ['p.png', 'r.png']
  assert report.tables['summary'].rows[background.WORST]['found'] == 1
  assert list(report.tables['backgrounds'].rows) == list(backdrops.backdrops(8))
  assert 'CSIM' in report.not_measured
  height, width = (side // 160 for side in report.sheet.shape[:2])
  assert (height, width) == (2, 13)  # the own background and twelve others


def test_portraits_without_a_face_are_named(
  tiny_candidate, records, portraits, whole_faces
):
  args = options(background, '--portraits', portraits, records=records)

  def blind(frames):
    return fake_judge.readings(np.full(len(list(frames)), np.nan))

  with pytest.raises(InputError, match='No face'):
    background.run(args, tiny_candidate, blind)


def _found(**lips):
  """Readings of one person: lips at rest and open, lids open and shut."""
  out = {}
  for name in ('own background', *backdrops.backdrops(8)):
    opening = lips.get(name.replace(' ', '_'), 0.1)
    seen = fake_judge.readings(
      [0, opening, 0, 0], lids=[0.05, 0.05, 0.05, 0.01]
    )
    out |= background.pack(seen, f'{name}/')
    out[f'{name}/csim'] = np.full(4, 0.9 if name != 'red' else 0.8)
  return out


def test_the_worst_background_counts():
  row = background.face_row(_found(red=0.04, white=0.2))
  assert row['background_lips'] == pytest.approx(0.4)
  assert row['background_lids'] == pytest.approx(1)
  assert row['background_csim'] == pytest.approx(-0.1)
  assert row['behind'] == 'red'
  assert row['own_lips'] == pytest.approx(0.1)
  lost = background.face_row(_found(dark_red=np.nan))
  assert lost['background_lips'] == 0 and lost['behind'] == 'dark red'
  assert lost['found'] == pytest.approx(0.75)


def test_replay(tiny_candidate, records, tmp_path, monkeypatch):
  args = options(
    replay, '--count', 2, '--seconds', 0.4, records=records, out=tmp_path
  )
  report = replay.run(args, tiny_candidate, fake_judge.judge)
  assert report.settings['clips'] == ['b', 'c']
  row = report.tables['summary'].rows['all clips']
  assert 0 <= row['still_moved'] <= 1 and np.isfinite(row['lips_gain'])
  assert list(report.tables['clips'].rows) == ['b', 'c']
  for image in (report.sheet, report.pictures['eyes']):
    assert image.shape == (18 + 2 * 288, 7 * 288, 3)
  report.write(tmp_path)
  assert (tmp_path / 'eyes.png').is_file()

  def again(*_):
    raise AssertionError('this clip was measured already')

  monkeypatch.setattr(replay, 'look', again)
  resumed = replay.run(args, tiny_candidate, fake_judge.judge)
  assert resumed.markdown() == report.markdown()


def test_a_perfect_replay_has_perfect_figures():
  rng = np.random.default_rng(0)
  driving = rng.integers(0, 255, (20, 64, 64, 3), dtype=np.uint8)
  driving[:, :, 40:] = 90  # this never moves
  lips = rng.uniform(0.1, 0.4, 20)
  lids = np.full(20, 0.3)
  lids[7] = 0.05

  def judge(frames):
    seen = fake_judge.readings(lips, lids=lids)
    assert len(list(frames)) == 20
    return seen

  row = replay.figures_of([replay.look(driving, driving, judge)])
  assert row['lips_r'] == pytest.approx(1)
  assert row['lids_gain'] == pytest.approx(1)
  assert row['blinks'] == 1 and row['blink_ratio'] == pytest.approx(1)
  assert row['blink_depth'] == pytest.approx(1 - 0.05 / 0.3)
  assert row['still_moved'] == 0


def test_quiet(tiny_candidate, records):
  args = options(quiet, '--count', 2, '--frames', 9, records=records)
  report = quiet.run(args, tiny_candidate, None)
  rows = report.tables['summary'].rows
  assert list(rows) == list(quiet.ROWS.values())
  assert all(np.isfinite(row['psnr']) for row in rows.values())
  if 'lpips' in rows['output']:
    wanted = rows['output']['lpips'] / rows['copy of the source']['lpips']
    assert rows['output']['over_copy'] == pytest.approx(wanted)
  assert report.sheet.shape == (18 + 2 * 160, 5 * 160, 3)


def test_the_quietest_span_is_found(records):
  clip = clips.load(records, 64, 'val', ['c'])[0]
  x = clip.geo.frames['x']
  x[9:14] = x[9]
  assert quiet.quietest(clip, 5) == (9, 0.0)
  first, move = quiet.quietest(clip, 99)
  assert first == clip.found[0] and move > 0
  assert len(x) == 20 > FRAMES
