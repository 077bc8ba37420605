import dataclasses

from ml_collections import ConfigDict
import pytest

from takin_jax import config as config_lib
from takin_jax.errors import InputError


@dataclasses.dataclass(frozen=True)
class Inner:
  size: int = 3


@dataclasses.dataclass(frozen=True)
class Outer:
  width: int
  widths: tuple[int, ...] = (1, 2)
  inner: Inner = dataclasses.field(default_factory=Inner)
  other: Inner | None = None


def test_build_makes_tuples_and_nested_dataclasses():
  block = ConfigDict({'width': 4, 'widths': [5, 6], 'inner': {'size': 7}})
  built = config_lib.build(Outer, block)
  assert built == Outer(4, (5, 6), Inner(7))
  assert hash(built)


def test_build_fills_optional_dataclasses():
  built = config_lib.build(Outer, {'width': 1, 'other': {'size': 9}})
  assert built.other == Inner(9)


def test_build_without_block_gives_the_defaults():
  assert config_lib.build(Inner) == Inner()


def test_unknown_key_names_key_class_and_known_ones():
  with pytest.raises(ValueError, match="Outer does not know 'depth'.*inner"):
    config_lib.build(Outer, {'width': 1, 'depth': 2})
  with pytest.raises(ValueError, match="Inner does not know 'x'"):
    config_lib.build(Outer, {'width': 1, 'inner': {'x': 2}})


def test_missing_key_is_named():
  with pytest.raises(ValueError, match='Outer.*width'):
    config_lib.build(Outer, {})


def test_json_round_trip():
  config = ConfigDict(
    {'name': 'x', 'a': {'b': (1, (2, 3)), 'c': None, 'd': 0.1, 'e': True}}
  )
  assert config_lib.from_json(config_lib.to_json(config)) == config


def test_load_config(tmp_path):
  path = tmp_path / 'a.py'
  path.write_text(
    'from ml_collections import ConfigDict\n'
    'def get_config():\n'
    '  return ConfigDict({"optim": {"lr": 1.0}})\n'
  )
  assert config_lib.load_config(path, {'optim.lr': 0.5}).optim.lr == 0.5
  with pytest.raises(ValueError, match='optim.rl'):
    config_lib.load_config(path, {'optim.rl': 0.5})
  with pytest.raises(ValueError, match='no config file'):
    config_lib.load_config(tmp_path / 'b.py')
  path.write_text('')
  with pytest.raises(ValueError, match='get_config'):
    config_lib.load_config(path)


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    ('x = (', 'is no config file'),
    ('\x00', 'is no config file'),
    ('def get_config(): return 5', 'returns a config'),
    ('def get_config(): raise RuntimeError("broken")', 'broken'),
    ('import sys; sys.exit(3)', 'is no config file: 3'),
  ],
)
def test_what_is_no_config_file(tmp_path, text, message):
  path = tmp_path / 'a.txt'
  path.write_text(text)
  with pytest.raises(InputError, match=message):
    config_lib.load_config(path)


@dataclasses.dataclass(frozen=True)
class Typed:
  count: int = 1
  share: float = 0.5
  flag: bool = False
  name: str = ''
  sizes: tuple[int, ...] = ()

  def __post_init__(self):
    config_lib.check_range(self, 0, 9, 'count', 'sizes', where='typed.')


@pytest.mark.parametrize(
  ('key', 'value'),
  [
    *(('count', x) for x in ('1', 1.0, None, True, -1, 10, [1])),
    *(('share', x) for x in ('x', None, True, float('nan'), float('inf'))),
    *(('flag', x) for x in (1, 'yes', None)),
    *(('name', x) for x in (5, None, ['a'])),
    *(('sizes', x) for x in (5, 'abc', [1.5], ['a'], [10], None)),
  ],
)
def test_values_of_the_wrong_kind_are_named(key, value):
  with pytest.raises(InputError, match=key):
    config_lib.build(Typed, {key: value})


def test_values_of_the_right_kind():
  block = {'count': 9, 'share': 1, 'flag': True, 'name': 'x', 'sizes': [0, 9]}
  assert config_lib.build(Typed, block) == Typed(9, 1, True, 'x', (0, 9))


@pytest.mark.parametrize('block', [[1], 'x', 5])
def test_what_is_no_block(block):
  with pytest.raises(InputError, match='not from'):
    config_lib.build(Typed, block)
