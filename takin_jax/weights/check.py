"""What of a weights folder can be judged before a network is built.

In: what the two files hold, of whatever origin. Out: nothing, or one sentence.
"""

from collections.abc import Iterator, Mapping
import math
from typing import Any

from ml_collections import ConfigDict
import numpy as np

from takin_jax.errors import InputError

_BLOCKS = ('model', 'diffusion', 'infer', 'data')
_SIZE_LIMIT = 100_000  # of a width, a kernel, a picture
_LIST_LIMIT = 100
_PICTURES = (32, 4096)  # sides
# Settings that count parts which have parameters of their own.
_COUNTS = (
  'layers',
  'depths',
  'blocks_2d',
  'blocks_3d',
  'middle_blocks',
  'num_blocks',
)


class WeightsError(InputError):
  """A weights folder that cannot be used, in one sentence."""


def check_config(config: ConfigDict, params: Mapping[str, np.ndarray]) -> None:
  """Raises WeightsError for a config that no such parameters have.

  Args:
    config: of the folder.
    params: by name.
  """
  if not isinstance(config.get('name', ''), str):
    raise WeightsError(f'The name {config.name!r} of the weights is no text.')
  for name in _BLOCKS:
    if name in config and not isinstance(config[name], ConfigDict):
      raise WeightsError(
        f'{name} in config.json is {config[name]!r:.60}, not a block of values.'
      )
  for key, value in _leaves(config):
    if isinstance(value, float) and not math.isfinite(value):
      raise WeightsError(f'{key} in config.json is {value}, no finite number.')
  size = config.get('model', {}).get('image_size', _PICTURES[0])
  if not isinstance(size, int) or not _PICTURES[0] <= size <= _PICTURES[1]:
    raise WeightsError(
      f'model.image_size in config.json is {size!r:.60}: it must be from '
      f'{_PICTURES[0]} to {_PICTURES[1]}.'
    )
  for key, value in _leaves(config.get('model', {}), 'model.'):
    _check_size(key, value, params)


def check_params(params: Mapping[str, np.ndarray]) -> None:
  """Raises WeightsError for arrays that no network has.

  Args:
    params: by name, as they are stored.
  """
  if not params:
    raise WeightsError('The weights hold no parameters.')
  for name, value in params.items():
    parts = name.split('/')
    if not all(parts):
      raise WeightsError(f'{name!r} is no name of a parameter.')
    for i in range(1, len(parts)):
      if '/'.join(parts[:i]) in params:
        raise WeightsError(f'{"/".join(parts[:i])!r} is parameter and group.')
    if not np.issubdtype(value.dtype, np.floating):
      raise WeightsError(f'The parameter {name} has whole numbers.')
    with np.errstate(over='ignore'):
      finite = np.isfinite(value.astype(np.float32)).all()
    if not finite:
      raise WeightsError(
        f'The parameter {name} has values that are not finite: the weights '
        'are damaged, or their training diverged.'
      )
  mean, std = (params.get(f'stats/{name}') for name in ('mean', 'std'))
  if mean is not None and (mean.ndim != 1 or not mean.size):
    raise WeightsError(f'stats/mean has shape {mean.shape}, not [M].')
  if std is not None and (mean is None or std.shape != mean.shape):
    raise WeightsError(f'stats/std has shape {std.shape}, stats/mean another.')
  if std is not None and not (std > 0).all():
    raise WeightsError('stats/std has a deviation that is not positive.')


def _check_size(key: str, value: Any, params: Mapping[str, np.ndarray]) -> None:
  """Numbers that a network of this size cannot have."""
  numbers = value if isinstance(value, tuple) else (value,)
  if len(numbers) > _LIST_LIMIT:
    raise WeightsError(f'{key} in config.json lists {len(numbers)} values.')
  for number in numbers:
    if isinstance(number, int | float) and not 0 <= number <= _SIZE_LIMIT:
      raise WeightsError(
        f'{key} in config.json is {number}: it must be from 0 to {_SIZE_LIMIT}.'
      )
  group, setting = key.split('.')[1], key.split('.')[-1]
  if setting not in _COUNTS:
    return
  arrays = sum(name.startswith(f'{group}/') for name in params)
  if arrays and sum(x for x in numbers if isinstance(x, int)) > arrays:
    raise WeightsError(
      f'{key} in config.json is {value}, and the weights have only {arrays} '
      f'arrays in {group!r}.'
    )


def _leaves(
  block: Mapping[str, Any] | ConfigDict, prefix: str = ''
) -> Iterator[tuple[str, Any]]:
  for key, value in block.items():
    if isinstance(value, ConfigDict | Mapping):
      yield from _leaves(value, f'{prefix}{key}.')
    else:
      yield f'{prefix}{key}', value
