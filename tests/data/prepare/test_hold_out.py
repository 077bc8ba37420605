"""Who is held out, when no table says it."""

import pytest

from takin_jax.data import records
from takin_jax.data.media import MediaError
from takin_jax.data.prepare import hold_out
from takin_jax.data.prepare.__main__ import write_manifest
from tests.data.fake_records import write_clip


def lines_of(people):
  """A finished line and its person for every letter, such as 'aabc'."""
  lines = [
    dict(file=f'{i}.mp4', id=str(i), person=p, status='ok', split='')
    for i, p in enumerate(people)
  ]
  return lines, {line['file']: line['person'] for line in lines}


def held(people, *args, **changes):
  lines, who = lines_of(people)
  for i, split in changes.items():
    lines[int(i[1:])]['split'] = split
  told = hold_out.assign(lines, who, *args)
  ids = {line['id'] for line in lines if line['split'] == 'val'}
  assert all(line['split'] in ('train', 'val') for line in lines)
  return ids, told


@pytest.mark.parametrize('people', ['ab', 'abc', 'aab', 'abcdefghij' * 3])
def test_whole_people_about_a_tenth_and_at_least_one(people):
  ids, told = held(people)
  shown = {people[int(i)] for i in ids}
  assert ids == {str(i) for i, p in enumerate(people) if p in shown}
  assert 1 <= len(ids) <= max(0.1 * len(people), 2)
  assert shown < set(people)
  assert f'{len(ids)} of {len(people)} clips, showing {min(shown)}' in told


def test_the_one_with_most_clips_is_learnt_from():
  assert held('aaaaaaaab')[0] == {'8'}


def test_one_person_is_divided_by_clip_and_one_clip_not_at_all():
  ids, _ = held('aaa')
  assert len(ids) == 1
  ids, told = held('a')
  assert not ids and 'Nobody is held out' in told


def test_share_and_names():
  assert len(held('abcdefghij', 0.5)[0]) == 5
  assert not held('abc', 0.0)[0]
  assert held('abcb', ('b',))[0] == {'1', '3'}
  with pytest.raises(MediaError, match='names x'):
    held('abc', ('x',))
  assert hold_out.parse(None) == hold_out.SHARE
  assert hold_out.parse('0.2') == 0.2 and hold_out.parse('a,b') == ('a', 'b')
  with pytest.raises(MediaError, match='from 0 to'):
    hold_out.parse('1.5')


def test_what_a_table_or_an_earlier_run_decided_stays():
  ids, _ = held('abc', _0='val')
  assert ids == {'0'}
  ids, _ = held('abc', 0.1, {'1': 'val', '0': 'train'})
  assert ids == {'1'}
  ids, _ = held('abcdefghijb', 0.1, {'1': 'val'})
  assert ids == {'1', '10'}  # a new clip of somebody who is held out


def test_skipped_clips_do_not_count():
  lines, who = lines_of('abc')
  lines[0]['status'] = 'skipped'
  hold_out.assign(lines, who)
  assert lines[0]['split'] == ''
  assert [line['split'] for line in lines[1:]].count('val') == 1


def test_the_manifest_decides_over_the_record(tmp_path):
  for name in 'ab':
    write_clip(tmp_path, name, name)
  assert {h.meta['split'] for h in records.read_heads(tmp_path)} == {'train'}
  lines, who = lines_of('ab')
  for line, name in zip(lines, 'ab', strict=True):
    line['id'] = name
  hold_out.assign(lines, who, ('b',))
  write_manifest(tmp_path / records.MANIFEST, lines)
  splits = {h.id: h.meta['split'] for h in records.read_heads(tmp_path)}
  assert splits == {'a': 'train', 'b': 'val'}
