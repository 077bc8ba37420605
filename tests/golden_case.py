"""Golden cases: reference outputs under weights that a recipe regenerates."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.golden import recipe

FOLDER = Path(__file__).parent / 'golden'


@dataclasses.dataclass(frozen=True)
class Case:
  """One case of the golden folder.

  Attributes:
    spec: the JSON beside the arrays.
    weights: PyTorch tensors by key.
    inputs: arrays by name, without the prefix `input:`.
    arrays: what the reference gave.
  """

  spec: dict[str, Any]
  weights: dict[str, np.ndarray]
  inputs: dict[str, np.ndarray]
  arrays: dict[str, np.ndarray]

  def random(self, key: str, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normal numbers of the recipe, such as cotangents."""
    rule = ['affine', 0.0, 1.0]
    return recipe.make(self.spec['namespace'], key, shape, rule)

  def check(self, name: str, got: Any) -> float:
    """Largest difference between an output and the reference."""
    got = np.asarray(got)
    stride = self.spec['outputs'].get(name, {}).get('stride', 1)
    if stride > 1:
      got = got.ravel()[::stride]
    assert got.shape == self.arrays[name].shape, name
    return float(np.abs(got - self.arrays[name]).max())

  def check_gradients(self, got: dict[str, np.ndarray]) -> float:
    """Largest difference of the parameter gradients' probes, relative."""
    spec = self.spec.get('grads', self.spec)['param_grads']
    worst = 0.0
    for key, want in spec.items():
      flat = np.asarray(got[key]).ravel()
      size = max(abs(want['min']), abs(want['max']), 1e-3)
      difference = np.abs(flat[want['probe_idx']] - want['probe']).max()
      worst = max(worst, difference / size)
    return float(worst)


def load(name: str, folder: Path = FOLDER) -> Case:
  """Reads the case `name`, such as 'hubert/tiny_layer', of a folder."""
  spec = json.loads((folder / f'{name}.json').read_text())
  make = recipe.make_all
  sums = {k: v for k, v in spec['inputs'].items() if v['rule'][0] == 'sum'}
  drawn = {k: v for k, v in spec['inputs'].items() if k not in sums}
  inputs = make(spec['namespace'], drawn)
  for key, value in sums.items():
    inputs[key] = inputs[value['rule'][1]] + inputs[value['rule'][2]]
  with np.load(folder / f'{name}.npz') as arrays:
    return Case(
      spec=spec,
      weights=make(spec['namespace'], spec['params']),
      inputs={k.removeprefix('input:'): v for k, v in inputs.items()},
      arrays=dict(arrays),
    )
