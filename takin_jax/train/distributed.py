"""Several processes that train together: start-up, and waiting for the first.

Process 0 is the primary: it alone prints, evaluates and writes files other
than checkpoints, which all write together into a folder that all of them see.
"""

from collections.abc import Mapping
import os

import jax
import orbax.checkpoint as ocp

from takin_jax.errors import InputError

_WAIT_S = 24 * 3600  # an evaluation may take long
# Variables of which each counts the processes of its launcher.
_COUNTS = ('SLURM_STEP_NUM_TASKS', 'OMPI_COMM_WORLD_SIZE')


def initialize(
  coordinator: str | None = None,
  num_processes: int | None = None,
  process_id: int | None = None,
) -> None:
  """Connects this process to the others; alone it does nothing.

  Must be called before anything else uses a device.

  Args:
    coordinator: HOST:PORT of process 0. Without it, what SLURM, Open MPI or
      an indexed Kubernetes job says is used, if there is one.
    num_processes: how many there are.
    process_id: which one this is, from 0.

  Raises:
    InputError: if only a part is given, or the others cannot be reached.
  """
  given = (coordinator, num_processes, process_id)
  if any(x is not None for x in given):
    if any(x is None for x in given):
      raise InputError(
        '--coordinator, --num-processes and --process-id belong together: '
        'give all three, or none of them under SLURM, Open MPI, Kubernetes.'
      )
  elif not in_cluster(os.environ):
    return
  try:
    jax.distributed.initialize(coordinator, num_processes, process_id)
  except (RuntimeError, ValueError) as error:
    first = str(error).strip().splitlines()[0]
    raise InputError(f'The processes cannot be connected: {first}') from error


def in_cluster(environment: Mapping[str, str]) -> bool:
  """Whether a launcher that JAX knows started several processes."""
  if any(int(environment.get(name) or 1) > 1 for name in _COUNTS):
    return True
  kubernetes = 'KUBERNETES_SERVICE_HOST' in environment
  return kubernetes and 'JOB_COMPLETION_INDEX' in environment


def is_primary() -> bool:
  """Whether this process prints and writes."""
  return jax.process_index() == 0


def wait_for_all(what: str) -> None:
  """Blocks until every process is here.

  Args:
    what: name of the place; the same on all, never used twice.
  """
  barrier = ocp.multihost.get_barrier_sync_fn()
  barrier(key=what, timeout_ms=_WAIT_S * 1000)
