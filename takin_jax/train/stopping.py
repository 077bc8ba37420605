"""When a run stops early: signals and a time limit, the same for everyone."""

import signal
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.train import sharding


class Stopper:
  """Says after every step whether the run stops here.

  The first SIGTERM or SIGINT is a request to stop, the second one acts at
  once. With several processes, a wish of one is a decision of all at the same
  step; it is read one step late, so that the devices do not wait for it.

  Args:
    mesh: of devices.
    time_limit_s: wall-clock time from now; 0: none.
  """

  def __init__(self, mesh: jax.sharding.Mesh, time_limit_s: float = 0.0):
    self._mesh, self._limit_s = mesh, time_limit_s
    self._started_s = time.monotonic()
    self._received = False
    self._asked: jax.Array | None = None
    whole = sharding.replicated(mesh)
    self._any = jax.jit(jnp.any, out_shardings=whole)

  def __enter__(self) -> 'Stopper':
    self._old = {
      number: signal.signal(number, self._handle)
      for number in (signal.SIGTERM, signal.SIGINT)
    }
    return self

  def __exit__(self, *_: Any) -> None:
    for number, handler in self._old.items():
      signal.signal(number, handler)

  def __call__(self) -> bool:
    """To be called once per step, by all processes."""
    elapsed_s = time.monotonic() - self._started_s
    wish = self._received or 0 < self._limit_s < elapsed_s
    if jax.process_count() == 1:
      return wish
    asked, self._asked = self._asked, self._ask(wish)
    return asked is not None and bool(jax.device_get(asked))

  def _ask(self, wish: bool) -> jax.Array:
    split = sharding.split_batch(self._mesh)
    own = np.full(jax.local_device_count(), wish)
    return self._any(jax.make_array_from_process_local_data(split, own))

  def _handle(self, number: int, _: Any) -> None:
    self._received = True
    signal.signal(number, self._old[number])
