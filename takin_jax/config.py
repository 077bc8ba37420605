"""Configs: ConfigDict blocks to frozen dataclasses, files, JSON.

A config file (`configs/*.py`) has `get_config()` and returns a ConfigDict of
plain values. Each block of it holds the keyword arguments of one frozen
dataclass that stands next to the code it configures.
"""

from collections.abc import Mapping
import dataclasses
import importlib.util
import json
import pathlib
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
  block = {} if block is None else dict(block.items())
  fields = {f.name: f for f in dataclasses.fields(cls) if f.init}
  for key in block:
    if key not in fields:
      raise InputError(
        f'{cls.__name__} does not know {key!r}; it knows '
        f'{", ".join(sorted(fields))}.'
      )
  types = typing.get_type_hints(cls)
  values = {}
  for key, value in block.items():
    nested = _dataclass_in(types[key])
    if nested and isinstance(value, Mapping | ConfigDict):
      value = build(nested, value)
    values[key] = _tuples(value)
  try:
    return cls(**values)
  except TypeError as error:
    raise InputError(f'{cls.__name__}: {error}') from error
  except ValueError as error:  # the class refuses it
    raise InputError(str(error)) from error


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
  spec = importlib.util.spec_from_file_location(f'config_{path.stem}', path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  if not hasattr(module, 'get_config'):
    raise InputError(f'{path} has no get_config().')
  config = module.get_config()
  for key, value in (overrides or {}).items():
    if key not in config_leaves(config):
      raise InputError(f'{path} has no value named {key!r}.')
    config.update_from_flattened_dict({key: value})
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


def _tuples(value: Any) -> Any:
  if isinstance(value, list | tuple):
    return tuple(_tuples(item) for item in value)
  if isinstance(value, dict):
    return {key: _tuples(item) for key, item in value.items()}
  return value
