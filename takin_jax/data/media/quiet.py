"""What native libraries say beside our one sentence."""

from collections.abc import Iterator
import contextlib
import os


@contextlib.contextmanager
def quiet() -> Iterator[None]:
  """Keeps off the terminal what native code writes to standard error."""
  try:
    saved = os.dup(2)
  except OSError:  # it is closed
    yield
    return
  with open(os.devnull, 'w') as nowhere:
    os.dup2(nowhere.fileno(), 2)
    try:
      yield
    finally:
      os.dup2(saved, 2)
      os.close(saved)
