"""The list of videos to prepare."""

import pytest

from takin_jax.data import media
from takin_jax.data.prepare import clips


def test_manifests_folders_and_files(tmp_path):
  (tmp_path / 'video').mkdir()
  for name in ('video/a.mp4', 'video/b.MOV', 'video/notes.txt', 'c.mp4'):
    (tmp_path / name).touch()
  table = tmp_path / 'clips.tsv'
  table.write_text(
    'file\tperson\temotion\tlevel\tspeech\taudio_lag_ms\tsplit\n'
    'a.mp4\tann\thappy\t2\tyes\t+80\tval\n'
    'c.mp4\tbob\t-\t-\tno\t-\ttrain\n'
  )
  ann, bob = clips.list_clips([str(table)])
  assert ann == clips.Clip(
    tmp_path / 'video' / 'a.mp4',
    'a.mp4',
    'ann',
    'happy',
    'yes',
    'val',
    80.0,
    '2',
  )
  assert bob.path == tmp_path / 'c.mp4' and bob.lag_ms == 0
  found = clips.list_clips([str(tmp_path / 'video'), str(tmp_path / 'c.mp4')])
  assert [c.id for c in found] == ['a', 'b', 'c']
  assert all(c.person_is_guess for c in found)
  assert not ann.person_is_guess


def test_labels_come_from_the_layout(tmp_path):
  path = tmp_path / 'M003' / 'video' / 'front' / 'sad' / 'level_2' / '001.mp4'
  path.parent.mkdir(parents=True)
  path.touch()
  for layout in ('auto', 'mead'):
    (clip,) = clips.list_clips([str(tmp_path)], layout)
    assert clip.id == 'M003_video_front_sad_level_2_001'
    assert (clip.person, clip.emotion, clip.level) == ('M003', 'sad', '2')
  (clip,) = clips.list_clips([str(tmp_path)], 'plain')
  assert (clip.person, clip.emotion, clip.level) == ('001', '-', '-')
  with pytest.raises(media.MediaError, match='not named as in hdtf'):
    clips.list_clips([str(tmp_path)], 'hdtf')


def test_bad_sources(tmp_path):
  (tmp_path / 'a.tsv').write_text('name\nx\n')
  (tmp_path / 'v.mp4').touch()
  (tmp_path / 'v_001.mp4').touch()
  (tmp_path / 'empty').mkdir()
  for sources, reason in [
    (['nowhere'], 'nowhere is not there'),
    (['a.tsv'], 'no column `file`'),
    (['empty'], 'no video file'),
    (['v.mp4', 'v.mp4'], '2 clips would be named v'),
    (['v.mp4', 'v_001.mp4'], 'v_001 may be a part of v'),
  ]:
    with pytest.raises(media.MediaError, match=reason):
      clips.list_clips([str(tmp_path / s) for s in sources])
