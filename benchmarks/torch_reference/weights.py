"""The same weights on both sides.

Modules with published tensor names go through the tables of
`takin_jax.convert`, forwards and backwards. Modules of our own carry the names
of our Flax modules, so that one rule maps them.
"""

from collections.abc import Mapping
from typing import Any

from flax import traverse_util
import numpy as np
import torch
from torch import Tensor, nn

from takin_jax.convert.apply import apply, check
from takin_jax.convert.tables import Table

Tree = Mapping[str, Any]


def arrays(module: nn.Module) -> dict[str, np.ndarray]:
  """The module's `state_dict()` as arrays."""
  return {k: x.detach().cpu().numpy() for k, x in module.state_dict().items()}


def to_ours(table: Table, module: nn.Module, target: Tree) -> dict[str, Any]:
  """A twin's weights as our variables.

  Args:
    table: PyTorch's names and ours.
    module: the twin, before `prepare`.
    target: our variables or their shapes.

  Raises:
    ConvertError: if the twin is not of the same sizes.
  """
  result = apply(table, arrays(module), target)
  check(type(module).__name__, result.errors)
  return result.variables


def load_ours(table: Table, module: nn.Module, variables: Tree) -> nn.Module:
  """Fills a twin with our variables: the inverse of `to_ours`."""
  flat = traverse_util.flatten_dict(dict(variables))
  state = {}
  for key, tensor in module.state_dict().items():
    entry = table.tensor(table.bare(key))
    if isinstance(entry, str):  # not needed for inference
      state[key] = tensor
      continue
    # Where each number goes is seen by laying out their indices.
    place = np.arange(tensor.numel()).reshape(tensor.shape)
    place = entry.layout(place).reshape(-1)
    values = np.empty(place.size, np.float32)
    values[place] = np.asarray(flat[entry.path]).reshape(-1)
    state[key] = torch.from_numpy(values.reshape(tensor.shape))
  module.load_state_dict(state)
  return module


def load_named(module: nn.Module, params: Tree) -> nn.Module:
  """Fills a module that has our own names with our parameters.

  Args:
    module: its layers are named as the Flax ones; the inner `conv` of our
      convolution blocks is left out.
    params: parameters of the Flax module.

  Raises:
    RuntimeError: names or shapes differ.
  """
  module.load_state_dict(named(params))
  return module


def named(params: Tree) -> dict[str, Tensor]:
  """Our parameters, or their gradients, by the names of such a module."""
  flat = traverse_util.flatten_dict(dict(params))
  return dict(
    _translate(path, np.asarray(value, np.float32))
    for path, value in flat.items()
  )


def _translate(path: tuple[str, ...], x: np.ndarray) -> tuple[str, Tensor]:
  """Our name and layout -> PyTorch's."""
  *layers, leaf = path
  if leaf == 'depthwise':  # [k, C] -> [C, 1, k]
    layers, leaf, x = [*layers, leaf], 'weight', x.T[:, None]
  elif leaf == 'depthwise_bias':
    layers, leaf = [*layers, 'depthwise'], 'bias'
  elif leaf in ('kernel', 'bias'):
    while layers[-1] == 'conv':
      layers.pop()
    if leaf == 'kernel':  # [*space, I, O] -> [O, I, *space]
      leaf, x = 'weight', x.transpose(-1, -2, *range(x.ndim - 2))
  elif leaf == 'scale':
    leaf = 'weight'
  names = [layer.removeprefix('layers_') for layer in layers]
  return '.'.join([*names, leaf]), torch.from_numpy(x.copy())
