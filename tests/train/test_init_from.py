import numpy as np
import pytest

from takin_jax.train import init_from


def _params(*modules, size=2, value=0.0):
  leaf = np.full(size, value, np.float32)
  groups = {name: {'kernel': leaf} for name in modules}
  return groups | {'batch_stats': {name: {'u': leaf} for name in modules}}


def test_statistics_come_module_by_module(monkeypatch):
  given = _params('maker', 'critic', value=1.0)
  monkeypatch.setattr(init_from, 'load_groups', lambda path: given)
  got = init_from.replace_groups(_params('maker', 'judge'), ['somewhere'])
  assert got.keys() == {'maker', 'judge', 'batch_stats'}
  assert got['batch_stats'].keys() == {'maker', 'judge'}
  assert got['batch_stats']['maker']['u'].tolist() == [1, 1]
  assert got['batch_stats']['judge']['u'].tolist() == [0, 0]
  del given['batch_stats']['maker']
  with pytest.raises(ValueError, match='maker.*has shape nothing'):
    init_from.replace_groups(_params('maker', 'judge'), ['somewhere'])
