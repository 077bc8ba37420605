"""What a config would do, without training: shapes, sizes, memory, FLOP."""

import pathlib
import time
from typing import Any

import jax
from ml_collections import ConfigDict

from takin_jax import config as config_lib
from takin_jax.train import overview, speed
from takin_jax.train.program import Program


def dry_run(config: ConfigDict) -> None:
  """Resolves a config and prints what a run of it would need.

  Neither records nor weights are needed: without records, batches are
  described by the task. Memory is what the compiler plans for one device; a
  GPU's plan is found on that GPU only.

  Raises:
    InputError: for a config that cannot be trained.
  """
  config = ConfigDict(config.to_dict())
  if not pathlib.Path(config.get('data', {}).get('records', '.')).is_dir():
    config.data.records = ''
    if 'cache' in config.data:
      config.data.cache = ''
  program = Program(config)
  print(config_lib.to_json(config))
  print(overview.table(program.state.params))
  print(overview.summary(program.state.params))
  batch = _batch(program)
  print('\nBatch, over all devices:')
  for name, x in batch.items():
    print(f'  {name}: {x.dtype} {list(x.shape)}')
  constants = _shapes(program.task.constants())
  lowered = program.lower(batch, constants)
  devices = program.mesh.size
  total = program.flops(lowered, batch, constants) / 1e12
  print(f'\nDevices: {devices} x {jax.devices()[0].device_kind}')
  print(f'Model TFLOP per step: {total:.4g}, per device {total / devices:.4g}')
  _print_best_time(program, total)
  print('Compiling for the memory estimate ...', flush=True)
  since_s = time.monotonic()
  compiled = lowered.compile()
  print(f'Compiled in {time.monotonic() - since_s:.0f} s.')
  _print_memory(compiled.memory_analysis())


def _batch(program: Program) -> dict[str, jax.ShapeDtypeStruct]:
  """Shapes of a batch: of a real one, or as the task describes them."""
  if program.config.data.get('records') == '':
    spec = program.task.batch_spec()
    return {k: jax.ShapeDtypeStruct(*v) for k, v in spec.items()}
  return _shapes(next(program.task.batches()))


def _shapes(tree: Any) -> Any:
  return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), tree)


def _print_best_time(program: Program, tflop: float) -> None:
  device = program.mesh.devices.flat[0]
  peak = program.train.peak_tflops or speed.peak_tflops(device)
  if peak:
    seconds = tflop / peak / program.mesh.size
    print(f'Step at {peak:g} TFLOP/s per device: {seconds:.3g} s at best')


def _print_memory(plan: Any) -> None:
  """The compiler's plan for one device, in GiB."""
  if plan is None:
    print('This device tells no memory plan.')
    return
  parts = {
    'state, batch and constants': plan.argument_size_in_bytes,
    'results that do not reuse them': (
      plan.output_size_in_bytes - plan.alias_size_in_bytes
    ),
    'within a step': plan.temp_size_in_bytes,
  }
  print('Memory per device:')
  for name, size in parts.items():
    print(f'  {size / 2**30:8.3f} GiB {name}')
  print(f'  {sum(parts.values()) / 2**30:8.3f} GiB in all')
