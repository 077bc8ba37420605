"""Checked conversion of one state dict: a bijection, or an error.

Every source tensor is used or ignored for a stated reason, and every array of
the target is filled; what does not fit is reported all at once.
"""

from collections.abc import Mapping
import dataclasses
from typing import Any

from flax import traverse_util

from takin_jax.convert.tables import Table
from takin_jax.errors import InputError

Path = tuple[str, ...]
SHOWN = 12  # mismatches spelled out in an error


class ConvertError(InputError):
  """A checkpoint that cannot be converted, in one sentence."""


@dataclasses.dataclass(frozen=True)
class Row:
  """One line of the report.

  Attributes:
    source: name of the tensor in the checkpoint.
    shape: its shape there.
    target: our name, '' if it is ignored.
    note: our shape, or the reason for ignoring it.
  """

  source: str
  shape: tuple[int, ...]
  target: str
  note: str

  def __str__(self) -> str:
    what = f'{self.target} {self.note}' if self.target else f'({self.note})'
    return f'{self.source} {list(self.shape)} -> {what}'


@dataclasses.dataclass(frozen=True)
class Result:
  """What a conversion gave.

  Attributes:
    variables: collection -> our nested arrays.
    rows: what became of every source tensor.
    errors: what does not fit, in words.
  """

  variables: dict[str, Any]
  rows: list[Row]
  errors: list[str]


def apply(
  table: Table, state: Mapping[str, Any], target: Mapping[str, Any]
) -> Result:
  """Converts a state dict.

  Args:
    table: of this model.
    state: PyTorch tensors as arrays, by name.
    target: our variables or their shapes, as `Module.init` returns them.

  Returns:
    Variables, report and errors; without errors the variables are complete.
  """
  wanted = {k: tuple(v.shape) for k, v in _flat(target).items()}
  found: dict[Path, Any] = {}
  origin: dict[Path, str] = {}
  rows, errors = [], []
  for key, tensor in state.items():
    entry = table.tensor(table.bare(key))
    shape = tuple(tensor.shape)
    if entry is None:
      errors.append(f'{key} {list(shape)} is unknown')
    elif isinstance(entry, str):
      rows.append(Row(key, shape, '', entry))
    elif entry.path not in wanted:
      errors.append(f'{key} {list(shape)} has no place in the model')
    elif entry.path in origin:
      errors.append(f'{key} is the same as {origin[entry.path]}')
    else:
      origin[entry.path] = key
      value = _laid_out(entry.layout, tensor)
      have, want = tuple(value.shape), wanted[entry.path]
      if have != want:
        errors.append(
          f'{key} {list(shape)} gives {list(have)}, '
          f'{name_of(entry.path)} needs {list(want)}'
        )
      found[entry.path] = value
      rows.append(Row(key, shape, name_of(entry.path), str(list(want))))
  for path in sorted(wanted.keys() - found.keys()):
    errors.append(f'nothing fills {name_of(path)} {list(wanted[path])}')
  return Result(traverse_util.unflatten_dict(found), rows, errors)


def check(label: str, errors: list[str], all_of_them: bool = False) -> None:
  """Raises a ConvertError that lists the errors, if there are any."""
  if not errors:
    return
  shown = errors if all_of_them else errors[:SHOWN]
  rest = len(errors) - len(shown)
  more = f'; and {rest} more, which --dry-run lists' if rest else ''
  count = f'{len(errors)} mismatch{"es" if len(errors) > 1 else ""}'
  raise ConvertError(
    f'{label} does not fit, {count}: {"; ".join(shown)}{more}.'
  )


def name_of(path: Path) -> str:
  """('params', 'a', 'kernel') -> 'a/kernel'; statistics say so."""
  name = '/'.join(path[1:])
  return name if path[0] == 'params' else f'{path[0]}/{name}'


def _flat(tree: Mapping[str, Any]) -> dict[Path, Any]:
  return traverse_util.flatten_dict(dict(tree))


def _laid_out(layout: Any, tensor: Any) -> Any:
  """The tensor in our layout; as it is if its rank does not allow that."""
  try:
    return layout(tensor)
  except ValueError:
    return tensor
