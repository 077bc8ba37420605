"""Checkpoint files of any origin: read without running them, or refused."""

import os
import pickle
import zipfile

import numpy as np
import pytest

from takin_jax.convert import sources
from takin_jax.convert.apply import ConvertError

torch = pytest.importorskip('torch')
pytestmark = pytest.mark.torch

ZEROS = torch.zeros(3)


class Runs:
  """Unpickling it makes a folder."""

  def __init__(self, folder):
    self._folder = folder

  def __reduce__(self):
    return os.mkdir, (str(self._folder),)


def nested(depth):
  tree = {'a': ZEROS}
  for _ in range(depth):
    tree = {'a': tree}
  return tree


def refused(path, match=None):
  with pytest.raises(ConvertError, match=match) as error:
    sources.read_torch(path)
  assert '\n' not in str(error.value) and str(path) in str(error.value)


@pytest.mark.parametrize('zipped', [True, False])
@pytest.mark.parametrize('where', ['all', 'value', 'deep', 'key'])
def test_no_code_runs(tmp_path, zipped, where):
  evil = Runs(tmp_path / 'ran')
  tree = {
    'all': evil,
    'value': {'state_dict': {'a': ZEROS, 'b': evil}},
    'deep': {'a': {'b': {'c': [ZEROS, (evil,)]}}},
    'key': {'a': ZEROS, 'b': {'x': evil}},
  }[where]
  path = tmp_path / 'x.pth'
  torch.save(tree, path, _use_new_zipfile_serialization=zipped)
  refused(path, 'could run any code')
  path.write_bytes(pickle.dumps(evil, 2))
  refused(path, 'could run any code')
  assert not (tmp_path / 'ran').exists()


@pytest.mark.parametrize(
  ('value', 'message'),
  [
    ([ZEROS], 'no state dict'),
    (None, 'no state dict'),
    ('x', 'no state dict'),
    ({'a': 5}, "'a' is no tensor"),
    ({'a': torch.eye(3).to_sparse()}, 'no plain numbers'),
    ({'a': torch.zeros(3, device='meta')}, 'no plain numbers'),
    ({'a': ZEROS.to(torch.complex64)}, 'no plain numbers'),
    ({'a': ZEROS.to(torch.complex64).conj().imag}, 'no plain numbers'),
    ({'a': torch.zeros(1).expand(10**12)}, 'no plain numbers'),
    (nested(30), 'nested too deeply'),
  ],
)
def test_what_is_no_state_dict(tmp_path, value, message):
  torch.save(value, tmp_path / 'x.pth')
  refused(tmp_path / 'x.pth', message)


def test_a_tree_that_holds_itself(tmp_path):
  tree = {'a': ZEROS}
  tree['self'] = tree
  torch.save(tree, tmp_path / 'x.pth')
  refused(tmp_path / 'x.pth', 'nested too deeply')


@pytest.mark.parametrize(
  ('data', 'message'),
  [
    (b'', 'an empty file'),
    (b'version https://git-lfs.github.com/spec/v1\noid', 'Git LFS pointer'),
    (b'<!doctype html><p>Not found', 'web page'),
    (b'hello\n' * 9, 'damaged'),
    (bytes(5000), 'refused|damaged'),
  ],
)
def test_failed_downloads(tmp_path, data, message):
  (tmp_path / 'x.pth').write_bytes(data)
  refused(tmp_path / 'x.pth', message)


def test_every_cut_is_found(tmp_path):
  path = tmp_path / 'x.pth'
  torch.save({'a': torch.arange(100.0)}, path)
  data = path.read_bytes()
  for size in range(1, len(data) - 1, 97):
    path.write_bytes(data[:size])
    refused(path)


def test_a_file_that_grows_when_it_is_read(tmp_path):
  torch.save({'a': ZEROS}, tmp_path / 'x.pth')
  with (
    zipfile.ZipFile(tmp_path / 'x.pth') as old,
    zipfile.ZipFile(tmp_path / 'y.pth', 'w', zipfile.ZIP_DEFLATED) as new,
  ):
    for name in old.namelist():
      new.writestr(name, old.read(name))
  refused(tmp_path / 'y.pth', 'compressed')


@pytest.mark.parametrize('dtype', ['float64', 'bfloat16', 'float8_e4m3fn'])
def test_floats_of_all_widths_are_float32(tmp_path, dtype):
  value = torch.nn.Parameter(torch.ones(3).to(getattr(torch, dtype)))
  torch.save({'state_dict': {'a': value}, 'epoch': 5}, tmp_path / 'x.pth')
  read = sources.read_torch(tmp_path / 'x.pth')
  assert read['a'].dtype == np.float32 and (read['a'] == 1).all()


def test_an_old_torch_is_named(tmp_path, monkeypatch):
  torch.save({'a': ZEROS}, tmp_path / 'x.pth')
  monkeypatch.setattr(torch, '__version__', '2.5.1+cpu')
  refused(tmp_path / 'x.pth', r'2\.5\.1.*install 2\.6')
