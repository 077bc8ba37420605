"""Locks between processes, released by the system when a process ends."""

from collections.abc import Iterator
import contextlib
import os
import pathlib

try:
  import fcntl
except ImportError:  # no POSIX system: nobody is kept out
  fcntl = None


@contextlib.contextmanager
def lock(path: pathlib.Path, wait: bool = True) -> Iterator[None]:
  """Holds an exclusive lock on a file, which is made and stays.

  File systems without locks keep nobody out.

  Args:
    path: the file; never a link.
    wait: for whoever holds it.

  Raises:
    BlockingIOError: another holds it, and `wait` is False.
    OSError: the file cannot be made.
  """
  flags = os.O_RDWR | os.O_CREAT | getattr(os, 'O_NOFOLLOW', 0)
  file = os.open(path, flags, 0o600)
  try:
    if fcntl is not None:
      try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
      except BlockingIOError:
        raise
      except OSError:
        pass
    yield
  finally:
    os.close(file)
