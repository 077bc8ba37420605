"""Configs: ConfigDict blocks to frozen dataclasses, files, JSON.

A config file (`configs/*.py`) has `get_config()` and returns a ConfigDict of
plain values. Each block of it holds the keyword arguments of one frozen
dataclass that stands next to the code it configures.
"""

from collections.abc import Mapping
import dataclasses
import importlib.machinery
import importlib.util
import json
import math
import numbers
import pathlib
import types
import typing
from typing import Any, TypeVar

from ml_collections import ConfigDict

from takin_jax.errors import InputError

T = TypeVar('T')


def build(cls: type[T], block: Mapping[str, Any] | None = None) -> T:
  """Makes a frozen dataclass from a config block.

  Args:
    cls: dataclass; fields that are dataclasses themselves take sub-blocks.
    block: its keyword arguments; what is left out keeps its default.

  Returns:
    An instance, hashable because lists become tuples.

  Raises:
    InputError: for a key that `cls` does not know or one that it misses, and
      for values that it refuses.
  """
  if block is None:
    block = {}
  if not isinstance(block, Mapping | ConfigDict):
    raise InputError(
      f'{cls.__name__} is made from a block of values, not from '
      f'{_short(block)}.'
    )
  block = dict(block.items())
  fields = {f.name: f for f in dataclasses.fields(cls) if f.init}
  for key in block:
    if key not in fields:
      raise InputError(
        f'{cls.__name__} does not know {key!r}; it knows '
        f'{", ".join(sorted(fields))}.'
      )
  hints = typing.get_type_hints(cls)
  values = {}
  for key, value in block.items():
    nested = _dataclass_in(hints[key])
    if nested and isinstance(value, Mapping | ConfigDict):
      value = build(nested, value)
    value = _tuples(value)
    if not _fits(value, hints[key]):
      raise InputError(
        f'{cls.__name__}: {key} is {_short(value)}, which is no '
        f'{_name(hints[key])}.'
      )
    values[key] = value
  try:
    return cls(**values)
  except TypeError as error:
    raise InputError(f'{cls.__name__}: {error}') from error
  except ValueError as error:  # the class refuses it
    raise InputError(str(error)) from error


def check_range(
  instance: Any, low: float, high: float, *names: str, where: str = ''
) -> None:
  """Raises InputError for fields of a dataclass that are out of range.

  Args:
    instance: the dataclass, in its `__post_init__`.
    low: the least.
    high: the most.
    *names: of its fields, numbers or tuples of them.
    where: the config block, for the message.
  """
  for name in names:
    value = getattr(instance, name)
    for number in value if isinstance(value, tuple) else (value,):
      if not low <= number <= high:  # also if it is not a number
        raise InputError(
          f'{where}{name} is {_short(value)}: it must be from {low:g} to '
          f'{high:g}.'
        )


def load_config(
  path: str | pathlib.Path, overrides: Mapping[str, Any] | None = None
) -> ConfigDict:
  """Reads a config file.

  Args:
    path: Python file with `get_config()`.
    overrides: values by dotted name, e.g. `{'optim.lr': 1e-4}`.

  Raises:
    InputError: for a file that is no config, and for an unknown override.
  """
  path = pathlib.Path(path)
  if not path.is_file():
    raise InputError(f'There is no config file {path}.')
  config = _run_config(path)
  for key, value in (overrides or {}).items():
    if key not in config_leaves(config):
      raise InputError(f'{path} has no value named {key!r}.')
    config.update_from_flattened_dict({key: value})
  return config


def _run_config(path: pathlib.Path) -> ConfigDict:
  """What `get_config()` of a Python file returns."""
  loader = importlib.machinery.SourceFileLoader(
    f'config_{path.stem}', str(path)
  )
  spec = importlib.util.spec_from_loader(loader.name, loader)
  module = importlib.util.module_from_spec(spec)
  try:
    loader.exec_module(module)
    config = getattr(module, 'get_config', lambda: None)()
  except (Exception, SystemExit) as error:  # of any file that is no config
    lines = str(error).splitlines() or [type(error).__name__]
    raise InputError(f'{path} is no config file: {lines[0]:.200}.') from error
  if not isinstance(config, ConfigDict):
    raise InputError(f'{path} has no get_config() that returns a config.')
  return config


def config_leaves(config: Mapping[str, Any]) -> dict[str, Any]:
  """The values of a config by dotted name."""
  leaves = {}
  for key, value in config.items():
    if isinstance(value, Mapping | ConfigDict):
      inner = config_leaves(value)
      leaves.update({f'{key}.{name}': v for name, v in inner.items()})
    else:
      leaves[key] = value
  return leaves


def to_json(config: ConfigDict | Mapping[str, Any]) -> str:
  """The config as indented JSON text."""
  if isinstance(config, ConfigDict):
    config = config.to_dict()
  return json.dumps(config, indent=2) + '\n'


def from_json(text: str) -> ConfigDict:
  """Inverse of `to_json`: lists come back as tuples.

  Raises:
    ValueError: if it is no JSON object, or one that no config can be.
  """
  try:
    value = json.loads(text)
    if not isinstance(value, dict):
      raise ValueError('it holds no JSON object')
    return ConfigDict(_tuples(value))
  except RecursionError:
    raise ValueError('it is nested too deeply') from None


def _dataclass_in(hint: Any) -> type | None:
  """The dataclass named by a type hint, also inside `X | None`."""
  for candidate in (hint, *typing.get_args(hint)):
    if isinstance(candidate, type) and dataclasses.is_dataclass(candidate):
      return candidate
  return None


def _fits(value: Any, hint: Any) -> bool:
  """Whether a value may stand in a field with this type hint."""
  kind, inner = typing.get_origin(hint), typing.get_args(hint)
  if kind in (typing.Union, types.UnionType):
    return any(_fits(value, x) for x in inner)
  if kind is tuple:
    if not isinstance(value, tuple):
      return False
    if inner[1:] == (...,):
      return all(_fits(x, inner[0]) for x in value)
    return len(value) == len(inner) and all(map(_fits, value, inner))
  if hint is float:
    return _fits(value, int) or (
      isinstance(value, numbers.Real)
      and not isinstance(value, bool)
      and math.isfinite(value)
    )
  if hint is int:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)
  return not isinstance(hint, type) or isinstance(value, hint)


def _name(hint: Any) -> str:
  """A type hint in words."""
  if typing.get_origin(hint) is tuple:
    return f'list of {_name(typing.get_args(hint)[0])}s'
  known = {int: 'whole number', float: 'finite number', bool: 'truth value'}
  return known.get(hint, getattr(hint, '__name__', '')) or str(hint)


def _short(value: Any) -> str:
  """A value in at most one short line."""
  text = repr(value)
  return text if len(text) <= 60 else f'{text[:60]}...'


def _tuples(value: Any) -> Any:
  if isinstance(value, list | tuple):
    return tuple(_tuples(item) for item in value)
  if isinstance(value, dict):
    return {key: _tuples(item) for key, item in value.items()}
  return value
