"""Stored programs: what another wrote never runs, damage is made anew."""

import os
import pathlib
import pickle

import jax
import numpy as np
import pytest

from takin_jax import compilation
from takin_jax.infer import executables

DEVICE = jax.devices('cpu')[0]
NAME = 'a' * 32


@pytest.fixture(scope='module')
def program():
  with compilation.bypass_cache():
    return jax.jit(lambda x: 2 * x + 1).lower(np.ones(3)).compile()


@pytest.fixture
def store(tmp_path, program):
  executables.save(tmp_path / 'store', NAME, {'f': program})
  return tmp_path / 'store'


def load(store):
  return executables.load(store, NAME, DEVICE)


def file_of(store) -> pathlib.Path:
  (path,) = store.glob(f'{NAME}.*')
  return path


class Marks:
  """A pickle of it makes the file `ran`."""

  def __init__(self, folder):
    self._path = folder / 'ran'

  def __reduce__(self):
    return os.mkdir, (str(self._path),)


def test_programs_come_back(store):
  np.testing.assert_array_equal(load(store)['f'](np.ones(3)), np.full(3, 3.0))
  assert store.stat().st_mode & 0o777 == 0o700


def test_no_foreign_pickle_runs(store, tmp_path):
  path, evil = file_of(store), pickle.dumps(Marks(tmp_path))
  good = path.read_bytes()
  for data in (evil, bytes(32) + evil, good[:32] + evil, good + evil):
    path.write_bytes(data)
    assert load(store) is None
  (store / f'{NAME}.pickle').write_bytes(evil)  # as former versions wrote
  assert load(store) is None
  assert not (tmp_path / 'ran').exists()


def test_programs_of_another_folder_are_foreign(store, tmp_path):
  store.rename(tmp_path / 'copy')  # with its secret
  assert load(tmp_path / 'copy') is None


def test_every_flipped_bit_is_found(store):
  path = file_of(store)
  good = path.read_bytes()
  rng = np.random.default_rng(0)
  for bit in [0, 8 * len(good) - 1, *rng.integers(8 * len(good), size=40)]:
    bad = bytearray(good)
    bad[bit // 8] ^= 1 << (bit % 8)
    path.write_bytes(bad)
    assert load(store) is None, bit
  path.write_bytes(good)
  assert load(store) is not None


def empty(path):
  path.write_bytes(b'')


def cut(path):
  path.write_bytes(path.read_bytes()[:-1])


def noise(path):
  path.write_bytes(os.urandom(5000))


def folder(path):
  path.unlink()
  (path / 'inner').mkdir(parents=True)


def pipe(path):
  path.unlink()
  os.mkfifo(path)


def endless(path):
  path.unlink()
  path.symlink_to('/dev/zero')


DAMAGE = [empty, cut, noise, folder, pipe, endless]


@pytest.mark.parametrize('file', [NAME, 'secret'])
@pytest.mark.parametrize('damage', DAMAGE, ids=lambda f: f.__name__)
def test_damage_is_made_anew(store, program, damage, file):
  (path,) = store.glob(f'{file}*')
  damage(path)
  assert load(store) is None
  executables.save(store, NAME, {'f': program})
  assert load(store) is not None


def test_left_overs_of_killed_runs_go(store, program):
  (store / 'tmpabcdefgh.part').write_bytes(b'half')
  (store / 'tmpabcdefgh').write_bytes(b'half, of a former version')
  (store / 'mine.txt').write_text('not ours')
  executables.save(store, NAME, {'f': program})
  names = {path.name for path in store.iterdir()}
  assert names == {file_of(store).name, 'secret', 'lock', 'mine.txt'}


def test_the_oldest_programs_go(store, program, monkeypatch):
  monkeypatch.setattr(executables, '_KEEP', 4)
  for i in range(6):
    executables.save(store, f'{i:032x}', {'f': program})
    os.utime(store / f'{i:032x}.programs', (i + 1, i + 1))
  kept = sorted(path.name for path in store.glob('*.programs'))
  assert kept == [f'{i:032x}.programs' for i in (3, 4, 5)] + [
    f'{NAME}.programs'
  ]


def test_a_store_that_others_can_write_is_left_alone(store, program):
  store.chmod(0o777)
  assert load(store) is None
  before = file_of(store).stat().st_mtime_ns
  executables.save(store, NAME, {'f': program})
  assert file_of(store).stat().st_mtime_ns == before


def test_a_store_behind_a_link_is_left_alone(store, tmp_path, program):
  link = tmp_path / 'link'
  link.symlink_to(store)
  assert load(link) is None


def test_a_disk_that_is_full_only_costs_time(store, program, monkeypatch):
  def full(*args):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(os, 'replace', full)
  executables.save(store, 'b' * 32, {'f': program})
  assert not list(store.glob('*.part')) and not list(store.glob('b*'))
