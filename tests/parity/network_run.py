"""A network of `networks.py` on its case: outputs, gradients, layers."""

from collections.abc import Callable
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np

from tests import golden_case
from tests.golden_case import Case
from tests.parity.layout import to_first
from tests.parity.networks import Tensors, network
from tests.parity.report import Check, difference


def run(name: str, folder: Path) -> list[Check]:
  """Outputs of a case and, where it has them, gradients."""
  case = golden_case.load(name, folder)
  name = name.split('/')[-1]
  net, limit = network(name, case), _limit(name)
  weights = {k: v for k, v in case.weights.items() if v.dtype == np.float32}

  def forward(weights, inputs):
    return net.call(net.variables(weights), inputs)[0]

  outputs = jax.jit(forward)(weights, case.inputs)
  checks = [
    Check(k, case.check(k, v), limit.get(k, limit['']))
    for k, v in outputs.items()
  ]
  assert set(outputs) == set(case.spec['outputs'])
  if not case.spec.get('grads', {}).get('param_grads'):
    return checks
  return checks + check_gradients(case, forward, weights)


def check_gradients(
  case: Case, forward: Callable[..., Any], weights: Tensors
) -> list[Check]:
  """Loss, gradients of the inputs and of the parameters."""
  cotangents = {
    k: case.random(f'cotangent:{k}', v['shape'])
    for k, v in case.spec['outputs'].items()
  }

  def loss(weights, inputs):
    out = forward(weights, inputs)
    return sum(
      (out[k] * w).sum() / np.sqrt(w.size) for k, w in cotangents.items()
    )

  value, (for_weights, for_inputs) = jax.jit(
    jax.value_and_grad(loss, argnums=(0, 1))
  )(weights, case.inputs)
  checks = [Check('loss', difference(value, case.spec['grads']['loss']), 1e-4)]
  for key, gradient in for_inputs.items():
    want = case.arrays.get(f'grad:input:{key}')
    if want is not None:
      size = np.abs(want).max()
      checks.append(
        Check(f'grad {key}', difference(gradient, want) / size, 1e-4)
      )
  relative = case.check_gradients(for_weights)
  return [*checks, Check('grad parameters', relative, 1e-4)]


def _limit(name: str) -> dict[str, float]:
  """Largest differences, from the reference's own rounding."""
  if name.startswith('mlp'):
    return {'': 2e-5}
  if name == 'motion_tiny':
    return {'': 1e-5}
  if name == 'warping_full':
    return {'': 5e-5, 'out': 5e-4}
  return {'': 5e-5 if name.endswith('full') else 2e-5}


def probes(name: str, folder: Path) -> list[str]:
  """Layer by layer: largest difference at the reference's probes."""
  path = folder / f'{name}_acts.json'
  if not path.is_file():
    return []
  case = golden_case.load(name, folder)
  net = network(name.split('/')[-1], case)
  options = dict(capture_intermediates=True, mutable=['intermediates'])
  _, extra = jax.jit(
    lambda weights, inputs: net.call(net.variables(weights), inputs, **options)
  )(
    {k: v for k, v in case.weights.items() if v.dtype == np.float32},
    case.inputs,
  )
  lines = []
  for act in json.loads(path.read_text()):
    found = net.table.layer(net.table.bare(act['name']))
    if found is None:
      continue
    value = extra['intermediates']
    for part in found[0].split('/'):
      value = value.get(part, {})
    if '__call__' not in value:
      continue
    value = value['__call__'][0]
    if tuple(value.shape) != tuple(act['shape']):
      value = to_first(value)
    got = np.asarray(value).ravel()[act['probe_idx']]
    worst = np.abs(got - act['probe']).max()
    lines.append(f'  {worst:.1e} of {act["std"]:.1e}  {act["name"]}')
  return lines
