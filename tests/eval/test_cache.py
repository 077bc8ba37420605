import numpy as np
import pytest

from takin_jax.eval.cache import Cache, digest


def test_what_was_made_is_not_made_again(tmp_path):
  made = []

  def make():
    made.append(1)
    return {'a/b': np.arange(3), 'names': np.array(['x', 'yy'])}

  cache = Cache(tmp_path, weights='w', frames=3)
  first = cache('clip', make)
  again = Cache(tmp_path, frames=3, weights='w')('clip', make)
  assert len(made) == 1 and set(again) == {'a/b', 'names'}
  np.testing.assert_array_equal(first['a/b'], again['a/b'])
  assert list(again['names']) == ['x', 'yy']
  Cache(tmp_path, weights='w', frames=4)('clip', make)
  cache('other', make)
  assert len(made) == 3
  Cache(None, weights='w')('clip', make)
  assert len(made) == 4


def test_a_damaged_or_unfinished_file_is_made_again(tmp_path):
  cache = Cache(tmp_path)
  cache('clip', lambda: {'a': np.zeros(3)})
  (path,) = tmp_path.rglob('*.npz')
  path.write_bytes(path.read_bytes()[:50])
  assert cache('clip', lambda: {'a': np.ones(3)})['a'].sum() == 3

  def fails():
    raise RuntimeError

  with pytest.raises(RuntimeError):
    cache('next', fails)
  assert list(tmp_path.rglob('*.npz')) == [path]
  assert not list(tmp_path.rglob('*.part'))


def test_digest():
  a, b = np.arange(4), np.arange(4.0)
  assert digest(a, b) == digest(a.copy(), b.copy())
  assert digest(a) != digest(a.reshape(2, 2)) != digest(b)
