"""The table of a model's parameters."""

from collections.abc import Mapping
import pathlib
from typing import Any

from clu import parameter_overview

from takin_jax.train import distributed


def table(params: Mapping[str, Any]) -> str:
  """Name, shape, type, size and layout of every parameter, and the sum."""
  return parameter_overview.get_parameter_overview(
    params, include_stats='sharding'
  )


def summary(params: Mapping[str, Any]) -> str:
  """One line: millions of parameters by group, and in all."""
  sizes = {
    name: parameter_overview.count_parameters({name: group}) / 1e6
    for name, group in params.items()
  }
  parts = ', '.join(f'{name} {size:.2f}' for name, size in sizes.items())
  return f'Parameters in millions: {parts}; in all {sum(sizes.values()):.2f}.'


def write(params: Mapping[str, Any], workdir: pathlib.Path) -> None:
  """Writes the table to parameters.txt and prints the summary."""
  if distributed.is_primary():
    (workdir / 'parameters.txt').write_text(table(params) + '\n')
    print(f'{summary(params)} Table: {workdir / "parameters.txt"}')
