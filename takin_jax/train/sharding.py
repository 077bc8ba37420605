"""Where arrays live: the batch is split over devices, the state is not, or
only its large arrays are."""

from collections.abc import Callable
import dataclasses
import functools
from typing import Any

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
import numpy as np

from takin_jax.errors import InputError

DATA_AXIS = 'data'


@dataclasses.dataclass(frozen=True)
class MeshConfig:
  """The config block `mesh`.

  Attributes:
    devices: how many share the batch; 0: all there are, of all processes.
    shard_above: arrays of the state (parameters, their average, optimiser)
      with more elements than this are divided among the devices, along their
      longest axis; the networks get them whole for the time of a step. 0:
      every device keeps a whole copy.
  """

  devices: int = 0
  shard_above: int = 0


def make_mesh(cfg: MeshConfig) -> Mesh:
  """One axis of devices that share the batch.

  Raises:
    InputError: if there are fewer than asked for, or some processes would
      have none.
  """
  there = jax.devices()
  if cfg.devices < 0:
    raise InputError(f'mesh.devices is {cfg.devices}: 0 takes all there are.')
  if cfg.devices > len(there):
    raise InputError(
      f'mesh.devices is {cfg.devices}, but there are {len(there)} devices.'
    )
  if jax.process_count() > 1 and cfg.devices not in (0, len(there)):
    raise InputError(
      f'mesh.devices is {cfg.devices}, but several processes use all their '
      f'{len(there)} devices: leave it at 0.'
    )
  chosen = there[: cfg.devices or len(there)]
  return jax.make_mesh(
    (len(chosen),), (DATA_AXIS,), axis_types=(AxisType.Auto,), devices=chosen
  )


def replicated(mesh: Mesh) -> NamedSharding:
  """A whole copy on every device."""
  return NamedSharding(mesh, PartitionSpec())


def split_batch(mesh: Mesh) -> NamedSharding:
  """The first axis divided among the devices."""
  return NamedSharding(mesh, PartitionSpec(DATA_AXIS))


def state_layout(state: Any, mesh: Mesh, shard_above: int = 0) -> Any:
  """The sharding of every array of a state, see `MeshConfig`.

  Args:
    state: pytree of arrays or their shapes.
    mesh: of devices.
    shard_above: elements; 0: all arrays are whole.
  """

  def place(x: Any) -> NamedSharding:
    axes = [i for i, n in enumerate(x.shape) if n % mesh.size == 0]
    if not axes or not 0 < shard_above < x.size:
      return replicated(mesh)
    longest = max(axes, key=lambda i: x.shape[i])
    return NamedSharding(mesh, PartitionSpec(*[None] * longest, DATA_AXIS))

  return jax.tree.map(place, state)


def gather(mesh: Mesh) -> Callable[[Any], Any]:
  """Inside jit: makes divided arrays whole."""
  return lambda tree: jax.lax.with_sharding_constraint(tree, replicated(mesh))


def put_batch(batch: dict[str, np.ndarray], mesh: Mesh) -> dict[str, Any]:
  """Moves this process's share of a batch to its devices."""
  sharding = split_batch(mesh)
  return {
    name: jax.make_array_from_process_local_data(sharding, x)
    for name, x in batch.items()
  }


def jit_step(step: Any, mesh: Mesh, layout: Any) -> Any:
  """A train step with shardings for this mesh; the state is donated."""
  whole, split = replicated(mesh), split_batch(mesh)
  return jax.jit(
    step,
    in_shardings=(layout, split, whole, whole),
    out_shardings=(layout, whole),
    donate_argnums=0,
  )


def local_copy(tree: Any, mesh: Mesh) -> Any:
  """Whole arrays on one device of this process, for work of its own.

  All processes must call it. Nothing is copied where a device has it all.
  """
  return jax.tree.map(lambda x: x.addressable_data(0), _whole(mesh)(tree))


@functools.lru_cache
def _whole(mesh: Mesh) -> Callable[[Any], Any]:
  gathered = jax.jit(lambda x: x, out_shardings=replicated(mesh))
  return lambda tree: jax.tree.map(
    lambda x: x if x.is_fully_replicated else gathered(x), tree
  )
