"""Where arrays live: the batch is split over devices, the state is not."""

import dataclasses
from typing import Any

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
import numpy as np

DATA_AXIS = 'data'


@dataclasses.dataclass(frozen=True)
class MeshConfig:
  """How many devices share the batch; 0: all there are."""

  devices: int = 0


def make_mesh(cfg: MeshConfig) -> Mesh:
  """One axis of devices that share the batch.

  Raises:
    ValueError: if there are fewer than asked for.
  """
  there = jax.devices()
  if cfg.devices > len(there):
    raise ValueError(
      f'mesh.devices is {cfg.devices}, but there are {len(there)} devices.'
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


def put_batch(batch: dict[str, np.ndarray], mesh: Mesh) -> dict[str, Any]:
  """Moves this process's share of a batch to its devices."""
  sharding = split_batch(mesh)
  return {
    name: jax.make_array_from_process_local_data(sharding, x)
    for name, x in batch.items()
  }


def jit_step(step: Any, mesh: Mesh) -> Any:
  """Compiles a train step once for this mesh; the state is donated."""
  whole, split = replicated(mesh), split_batch(mesh)
  return jax.jit(
    step,
    in_shardings=(whole, split, whole, whole),
    out_shardings=(whole, whole),
    donate_argnums=0,
  )
