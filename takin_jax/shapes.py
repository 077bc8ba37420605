"""Shape checks for public entry points: free once the function is traced."""

from typing import Any


def check_shape(x: Any, spec: str, **sizes: int) -> dict[str, int]:
  """Checks the shape of an array against names of its axes.

  Args:
    x: anything with a `.shape`, traced or not.
    spec: axes by name or number, e.g. `'B T E'` or `'... K 3'`; a leading
      `...` stands for any number of axes. A name that occurs twice must have
      one size.
    **sizes: sizes that named axes must have.

  Returns:
    The size of each named axis.

  Raises:
    ValueError: if rank or sizes differ.
  """
  names = spec.split()
  shape = tuple(x.shape)
  tail = shape
  if names and names[0] == '...':
    names = names[1:]
    tail = shape[max(len(shape) - len(names), 0) :]
  found = dict(sizes)
  good = len(tail) == len(names)
  for name, size in zip(names, tail, strict=False):
    want = int(name) if name.isdigit() else found.setdefault(name, size)
    good = good and want == size
  if not good:
    known = ', '.join(f'{k}={v}' for k, v in sizes.items())
    where = f' with {known}' if known else ''
    raise ValueError(f'Expected shape [{spec}]{where}, got {list(shape)}.')
  return {name: found[name] for name in names if not name.isdigit()}
