"""Places that an output may have, and those it may not."""

import os
import socket
import stat

import numpy as np
import pytest

from takin_jax.data import media
from takin_jax.data.media import target
from tests.data import media_files

PICTURE = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)


def make(path):
  with media.VideoWriter(path) as video:
    for _ in range(5):
      video.write(PICTURE)
      video.write_audio(media_files.tone(0.04))


def refused(path, why):
  before = sorted(os.listdir('.'))
  with pytest.raises(media.MediaError, match=why) as error:
    media.check_output(path)
  assert '\n' not in str(error.value)
  with pytest.raises(media.MediaError, match=why):
    make(path)
  assert sorted(os.listdir('.')) == before


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  return tmp_path


@pytest.mark.parametrize(
  ('name', 'why'),
  [
    ('', 'no name'),
    ('a\0.mp4', 'no name'),
    ('.', 'is a folder'),
    ('..', 'is a folder'),
    ('/', 'is a folder'),
    ('new/', 'is a folder'),
    ('no/x.mp4', 'not a folder'),
    ('x' * 300 + '.mp4', 'cannot be written'),
    ('x', 'does not end in'),
    ('x.wav', 'does not end in'),
    ('x.png', 'does not end in'),
    ('.mp4', 'does not end in'),
    ('http://127.0.0.1:9/x.mp4', 'not a folder'),
    ('/dev/null', 'pipe or a device'),
  ],
)
def test_bad_names(name, why):
  refused(name, why)


def test_what_is_no_file_stays(in_folder):
  os.mkfifo('pipe.mp4')
  with socket.socket(socket.AF_UNIX) as server:
    server.bind('socket.mp4')
    for name in ('pipe.mp4', 'socket.mp4'):
      mode = os.stat(name).st_mode
      refused(name, 'pipe or a device')
      assert os.stat(name).st_mode == mode
  assert stat.S_ISCHR(os.stat('/dev/null').st_mode)


def test_links_are_followed(in_folder):
  os.mkdir('d')
  (in_folder / 'd' / 'old.mp4').write_bytes(b'old')
  os.symlink('d/old.mp4', 'to_old.mp4')
  os.symlink('d/new.mp4', 'to_new.mp4')
  for name in ('old', 'new'):
    make(f'to_{name}.mp4')
    assert os.path.islink(f'to_{name}.mp4')
    assert not os.path.islink(f'd/{name}.mp4')
    assert len(list(media.read_frames(f'd/{name}.mp4'))) == 5
  os.symlink('round.mp4', 'round.mp4')
  refused('round.mp4', 'cannot be written')
  os.symlink('/dev/null', 'null.mp4')
  refused('null.mp4', 'pipe or a device')


@pytest.mark.parametrize(
  'name',
  ['12:30.mp4', 'file:x.mp4', 'x%03d.mp4', '-x.mp4', 'x\n.mp4', 'ü ä.mp4']
  + ['X.MP4', 'x' * 246 + '.mp4', os.fsdecode(b'x\xff.mp4')],
)
def test_odd_names(in_folder, name):
  make(name)
  assert os.listdir(in_folder) == [name]
  assert len(list(media.read_frames(name))) == 5


@pytest.mark.parametrize('ending', ['mp4', 'mov', 'mkv', 'webm', 'gif'])
def test_every_ending(ending):
  path = f'v.{ending}'
  frames = 30
  images = media_files.counter(frames)
  with media.VideoWriter(path, rate=48_000) as video:
    for image in images:
      video.write(image)
      video.write_audio(media_files.tone(0.04, 48_000))
  formats = {'mkv': 'matroska', 'webm': 'matroska'}
  with media.decode.open_container(path) as container:
    assert formats.get(ending, ending) in container.format.name
    times = [frame.time for frame in container.decode(video=0)]
  assert len(times) == frames
  np.testing.assert_allclose(np.diff(times), 0.04, atol=1e-6)
  for seen, image in zip(media.read_frames(path), images, strict=True):
    assert abs(seen.mean() - image.mean()) < 4
  if ending != 'gif':
    assert len(media.read_audio(path)) == pytest.approx(1.2 * 16_000, abs=400)


def test_an_input_is_no_output(in_folder):
  make('v.mp4')
  os.symlink('v.mp4', 'link.mp4')
  os.link('v.mp4', 'hard.mp4')
  os.mkdir('d')
  for name in ('v.mp4', './v.mp4', 'd/../v.mp4', 'link.mp4', 'hard.mp4'):
    with pytest.raises(media.MediaError, match='is an input, too'):
      media.check_no_input(name, [None, 'other.mp4', 'v.mp4'])
  media.check_no_input('new.mp4', [None, 'v.mp4', 'missing', 'a\0b'])


def test_parts_cannot_be_foreseen(in_folder):
  names = {target.create_part(in_folder / 'x.mp4').name for _ in range(5)}
  assert len(names) == 5
  assert all(len(name) > 16 for name in names)


def test_the_file_has_ordinary_rights(in_folder):
  mask = os.umask(0o022)
  try:
    make('x.mp4')
  finally:
    os.umask(mask)
  assert stat.S_IMODE(os.stat('x.mp4').st_mode) == 0o644
