"""Checkpoints of any origin for `python -m takin_jax.convert`; needs torch."""

from collections.abc import Iterator
import contextlib
import io
import json
import os
from pathlib import Path
import pickle
import tarfile
from typing import Any
import warnings
import zipfile

import numpy as np
from safetensors import numpy as safetensors
import torch

from tests.fuzz_weights import HUGE, NAN, Case, said

_HUBERT = {
  'model_type': 'hubert',
  'conv_dim': [8, 8],
  'conv_kernel': [10, 3],
  'conv_stride': [5, 2],
  'conv_bias': False,
  'feat_extract_norm': 'group',
  'hidden_size': 16,
  'num_hidden_layers': 1,
  'num_attention_heads': 2,
  'intermediate_size': 16,
  'do_stable_layer_norm': False,
  'num_conv_pos_embeddings': 8,
  'num_conv_pos_embedding_groups': 4,
  'layer_norm_eps': 1e-5,
}
_VALUES = {
  'model_type': ('bert', ['hubert'], None),
  'conv_dim': (5, 'abc', None, [], [-8, 8], [8], [HUGE, HUGE]),
  'conv_stride': ([0, 0], 'x'),
  'conv_kernel': ([0, 0], [HUGE, 3]),
  'hidden_size': ('16', 0, -16, 10**12, NAN),
  'num_hidden_layers': (HUGE, -1, '1', 1.5, None),
  'num_attention_heads': (0, 7, None),
  'layer_norm_eps': ('x', NAN, -1),
  'num_conv_pos_embedding_groups': (0, 3),
  'num_conv_pos_embeddings': (0, HUGE),
  'feat_extract_norm': ('zzz', [1]),
  'do_stable_layer_norm': ('x', 5),
  'hidden_dropout': ('x', 5),
}
_SHARDS = (
  {'a': '../../outside.safetensors'},
  {'a': '/dev/zero'},
  {'a': 'x/y'},
  {'a': '..'},
  {'a': ''},
  {'a': 5},
  {'a': 5, 'b': 'x'},
  {'a': {}},
  {'a': 'a\0b'},
  ['a'],
  None,
  {},
)


class _Runs:
  """Unpickling it makes a folder."""

  def __init__(self, folder: Path):
    self._folder = folder

  def __reduce__(self) -> Any:
    return os.mkdir, (str(self._folder),)


def cases(folder: Path) -> Iterator[Case]:
  """All of them."""
  yield from _hub_cases(folder)
  yield from _torch_cases(folder)


def _convert(folder: Path, model: str, source: Path) -> str:
  from takin_jax.convert import __main__ as command

  out, error = folder / 'converted', io.StringIO()
  with (
    contextlib.redirect_stderr(error),
    contextlib.redirect_stdout(io.StringIO()),
    warnings.catch_warnings(),
  ):
    warnings.simplefilter('error')  # would be a second line
    code = command.main([model, str(source), '--out', str(out)])
  return said(code, error.getvalue(), 'takin_jax.convert', out)


def _hub_cases(folder: Path) -> Iterator[Case]:
  """Folders such as the hub gives."""

  def case(name: str, config: Any, **files: Any) -> Case:
    def run() -> str:
      source = folder / 'hub'
      source.mkdir(exist_ok=True)
      for path in source.iterdir():
        path.unlink()
      (source / 'config.json').write_text(json.dumps(config))
      for key, value in files.items():
        file = source / key.replace('__', '.')
        if isinstance(value, bytes):
          file.write_bytes(value)
        else:
          file.write_text(json.dumps(value))
      return _convert(folder, 'hubert', source)

    return Case('hub', name, run)

  good = safetensors.save({'x': np.zeros(3, np.float32)})
  for key, values in _VALUES.items():
    for value in values:
      config = {**_HUBERT, key: value}
      name = f'{key} = {str(value)[:20]}'
      yield case(name, config, model__safetensors=good)
    config = {k: v for k, v in _HUBERT.items() if k != key}
    yield case(f'no {key}', config, model__safetensors=good)
  for names in _SHARDS:
    index = {'weight_map': names}
    yield case(
      f'shards {names}', _HUBERT, model__safetensors__index__json=index
    )
  for processor in ([1], {'do_normalize': 'x'}, 5):
    yield case(
      f'preprocessor {processor}',
      _HUBERT,
      model__safetensors=good,
      preprocessor_config__json=processor,
    )
  for data in (b'', b'<html>', b'version https://git-lfs', good[:-1]):
    yield case(f'weights {data[:12]}', _HUBERT, model__safetensors=data)


def _odd_trees(evil: _Runs) -> dict[str, Any]:
  """What no state dict is."""
  zeros = torch.zeros(3)
  itself: dict[str, Any] = {'a': zeros}
  itself['self'] = itself
  return {
    'code': evil,
    'code inside': {'state_dict': {'a': zeros, 'b': evil}},
    'code deep inside': {'a': {'b': [zeros, (evil,)]}},
    'a list': [zeros, zeros],
    'a tensor': zeros,
    'nothing': None,
    'empty': {},
    'a text': 'x',
    'numbers as keys': {1: zeros, 2: zeros},
    'sparse': {'a': torch.eye(3).to_sparse()},
    'without values': {'a': torch.zeros(3, device='meta')},
    'complex': {'a': zeros.to(torch.complex64)},
    'conjugated': {'a': zeros.to(torch.complex64).conj()},
    'negated': {'a': zeros.to(torch.complex64).conj().imag},
    'float8': {'a': zeros.to(torch.float8_e4m3fn)},
    'a parameter': {'a': torch.nn.Parameter(zeros)},
    'one shown as many': {'a': torch.zeros(1).expand(10**15)},
    'itself': itself,
    'NaN': {'a': torch.full((3,), NAN)},
  }


def _torch_cases(folder: Path) -> Iterator[Case]:
  """Files of torch.save, and such as claim to be."""
  ran = folder / 'ran'
  trees = _odd_trees(_Runs(ran))

  def case(name: str, make: Any) -> Case:
    def run() -> str:
      source = folder / 'portrait'
      source.mkdir(exist_ok=True)
      from takin_jax.convert.liveportrait import FILES

      for file in FILES.values():
        make(source / file)
      wrong = _convert(folder, 'liveportrait', source)
      return 'CODE RAN' if ran.exists() else wrong

    return Case('torch', name, run)

  for name, tree in trees.items():
    for zipped in (True, False):

      def save(path: Path, tree: Any = tree, zipped: bool = zipped) -> None:
        torch.save(tree, path, _use_new_zipfile_serialization=zipped)

      old = '' if zipped else ', old format'
      if zipped or name not in ('without values',):
        yield case(f'{name}{old}', save)
  raw = {
    'a pickle': pickle.dumps(trees['code'], 2),
    'a pickle of protocol 5': pickle.dumps(trees['code'], 5),
    'text': b'hello\n' * 9,
    'zeros': bytes(5000),
    'a page': b'<html>404</html>',
    'a pointer': b'version https://git-lfs.github.com/spec/v1\n',
    'empty': b'',
    'half a ZIP': b'PK\x03\x04' + bytes(100),
  }
  for name, data in raw.items():
    yield case(name, lambda path, data=data: path.write_bytes(data))
  yield case('a tar', _tar)
  yield case('compressed', _compressed)
  yield case('no pickle inside', _without_pickle)


def _tar(path: Path) -> None:
  with tarfile.open(path, 'w') as file:
    entry = tarfile.TarInfo('../../pickle')
    entry.size = 2
    file.addfile(entry, io.BytesIO(b'hi'))


def _compressed(path: Path) -> None:
  """A few kilobytes that are 64 MB."""
  with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as file:
    file.writestr('archive/data.pkl', pickle.dumps({}, 2))
    file.writestr('archive/data/0', bytes(1 << 26))


def _without_pickle(path: Path) -> None:
  with zipfile.ZipFile(path, 'w') as file:
    file.writestr('archive/version', '3')
