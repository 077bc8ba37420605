"""The same work on every item, on a cluster: Ray Data (extra `cluster`).

All nodes must have this package and see the same files by the same paths.
"""

from collections.abc import Callable, Iterator, Sequence
import functools
import logging
import os
import pickle
import socket
from typing import Any

from takin_jax.data.media import MediaError

_MAX_BLOCKS = 1000  # an item each, as long as there are few
_PATIENCE_S = 10.0


def map_items(
  work: Callable[[Any], Any], items: Sequence[Any], address: str | None
) -> Iterator[Any]:
  """Yields work(item) of every item, as they are done.

  Args:
    work: importable or a partial of what is; runs on one CPU.
    items: what can be pickled.
    address: of the cluster, 'host:6379' or 'auto'; None: that of
      $RAY_ADDRESS, or else Ray on this machine.

  Raises:
    MediaError: Ray is missing, or there is no cluster at the address.
  """
  os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')
  try:
    import ray
    import ray.data
  except ImportError as e:
    raise MediaError(
      'Ray is not installed: pip install "takin-jax[cluster]".'
    ) from e
  try:
    _knock(address)
    ray.init(address, log_to_driver=False, ignore_reinit_error=True)
  except (OSError, ValueError) as e:
    raise MediaError(
      f'There is no Ray cluster at {address or "$RAY_ADDRESS"} ({e}): start '
      'one with `ray start --head`, or give --ray without an address.'
    ) from e
  logging.getLogger('ray.data').setLevel(logging.WARNING)
  ray.data.DataContext.get_current().enable_progress_bars = False
  try:
    rows = ray.data.from_items(
      [{'item': pickle.dumps(item)} for item in items],
      override_num_blocks=min(len(items), _MAX_BLOCKS),
    )
    done = rows.map(functools.partial(_work_on, work), num_cpus=1)
    for row in done.iter_rows():
      yield pickle.loads(row['result'])
  finally:
    ray.shutdown()


def _knock(address: str | None) -> None:
  """Raises OSError if nobody listens: Ray would try for minutes."""
  host, _, port = (address or '').removeprefix('ray://').rpartition(':')
  if host and port.isdigit():
    socket.create_connection((host, int(port)), _PATIENCE_S).close()


def _work_on(work: Callable[[Any], Any], row: dict[str, bytes]) -> dict:
  """Bytes in, bytes out: Ray's tables know no objects of ours."""
  return {'result': pickle.dumps(work(pickle.loads(row['item'])))}
