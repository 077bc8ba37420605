"""Where compiled programs are kept: the user's own folder, or a temporary."""

import os
import pathlib

import pytest

from takin_jax import cache_folder


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
  """As in a new process, with no variable set."""
  monkeypatch.delenv(cache_folder.VARIABLE, raising=False)
  cache_folder._temporary.cache_clear()
  yield
  cache_folder._temporary.cache_clear()


def use(monkeypatch, path) -> pathlib.Path:
  monkeypatch.setenv(cache_folder.VARIABLE, str(path))
  return cache_folder.find()


def test_the_given_folder(monkeypatch, tmp_path):
  path = use(monkeypatch, tmp_path / 'a' / 'b')
  assert path == tmp_path / 'a' / 'b'
  for name in ('', cache_folder.XLA, cache_folder.PROGRAMS):
    assert (path / name).stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize('value', [None, ''])
def test_nothing_given_is_the_home(monkeypatch, tmp_path, value):
  monkeypatch.setenv('HOME', str(tmp_path))
  monkeypatch.chdir(tmp_path)
  if value is not None:
    monkeypatch.setenv(cache_folder.VARIABLE, value)
  assert cache_folder.find() == tmp_path / '.cache' / 'takin_jax'
  assert [p.name for p in tmp_path.iterdir()] == ['.cache']


def test_open_sub_folders_are_closed(monkeypatch, tmp_path):
  (tmp_path / cache_folder.PROGRAMS).mkdir(mode=0o755)
  path = use(monkeypatch, tmp_path)
  assert (path / cache_folder.PROGRAMS).stat().st_mode & 0o777 == 0o700


def link(path):
  (path.parent / 'elsewhere').mkdir()
  path.symlink_to(path.parent / 'elsewhere')


def inner_link(path):
  path.mkdir()
  link(path / cache_folder.PROGRAMS)


def open_to_all(path):
  path.mkdir()
  path.chmod(0o777)


def inner_open(path):
  path.mkdir()
  open_to_all(path / cache_folder.XLA)


def another_user(path):
  path.mkdir()
  if os.geteuid() != 0:
    pytest.skip('only root can give a folder away')
  os.chown(path, 12345, 12345)


def a_file(path):
  path.write_text('x')


def inner_file(path):
  path.mkdir()
  (path / cache_folder.PROGRAMS).write_text('x')


def below_a_file(path):
  a_file(path.parent / 'file')
  path.symlink_to(path.parent / 'file' / 'x')


@pytest.mark.parametrize(
  'spoil',
  [
    link,
    inner_link,
    open_to_all,
    inner_open,
    another_user,
    a_file,
    inner_file,
    below_a_file,
  ],
)
def test_what_is_not_the_users_own_is_not_used(
  monkeypatch, tmp_path, spoil, caplog
):
  given = tmp_path / 'cache'
  spoil(given)
  path = use(monkeypatch, given)
  assert path != given and path.stat().st_mode & 0o777 == 0o700
  assert cache_folder.find() == path
  (record,) = caplog.records  # once
  assert 'TAKIN_CACHE_DIR' in record.message
  assert str(given) in record.message or 'file' in record.message


def test_no_home(monkeypatch, caplog):
  def none():
    raise RuntimeError('Could not determine home directory.')

  monkeypatch.setattr(pathlib.Path, 'home', none)
  assert cache_folder.find().is_dir()
  assert 'home directory' in caplog.text
