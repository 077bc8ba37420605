"""The folder of a run: one run at a time, and enough room on the disk."""

from collections.abc import Iterator
import contextlib
import errno
import pathlib

from takin_jax import locks
from takin_jax.train import distributed
from takin_jax.train.checkpoint import WorkdirError

_FULL = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}


@contextlib.contextmanager
def occupy(workdir: pathlib.Path) -> Iterator[None]:
  """Makes the folder, and keeps other runs out of it within.

  Of several processes that train together, the primary holds the lock.

  Raises:
    WorkdirError: it is no folder, another run is in it, or the disk is full;
      the last also from within.
  """
  with contextlib.ExitStack() as stack:
    try:
      workdir.mkdir(parents=True, exist_ok=True)
      if distributed.is_primary():
        stack.enter_context(locks.lock(workdir / 'lock', wait=False))
    except BlockingIOError:
      raise WorkdirError(
        f'Another run is training in {workdir}: wait for its end, stop it, or '
        'give another folder.'
      ) from None
    except OSError as error:
      raise WorkdirError(
        f'{workdir} cannot be the folder of a run ({error.strerror}): give '
        'another one.'
      ) from None
    try:
      yield
    except OSError as error:
      if error.errno not in _FULL:
        raise
      raise WorkdirError(
        f'{workdir} cannot be written ({error.strerror}): make room and give '
        'the same command, which goes on from the last checkpoint.'
      ) from None
