"""The folder of compiled programs: the user's own, or a temporary one.

What lies there is machine code that is run, so nobody else may write it.
"""

import atexit
import functools
import logging
import os
import pathlib
import shutil
import stat
import tempfile

VARIABLE = 'TAKIN_CACHE_DIR'
# XLA's own cache, and programs that start without tracing.
XLA, PROGRAMS = 'xla', 'programs'

_log = logging.getLogger(__name__)


class NotOwnError(OSError):
  """A folder that others could have written, in half a sentence."""


def find() -> pathlib.Path:
  """The folder, with the sub-folders `XLA` and `PROGRAMS`.

  It is `$TAKIN_CACHE_DIR`, or `~/.cache/takin_jax`. If that is not the user's
  own or cannot be written, it is a temporary folder of this process, which is
  said once.
  """
  try:
    given = os.environ.get(VARIABLE)
    home = pathlib.Path.home
    path = pathlib.Path(given) if given else home() / '.cache' / 'takin_jax'
    path = path.absolute()
    own(path)
    for name in (XLA, PROGRAMS):
      own(path / name)
      (path / name).chmod(0o700)
  except (OSError, RuntimeError) as error:  # RuntimeError: there is no home
    return _temporary(str(error))
  return path


def own(path: pathlib.Path) -> None:
  """Makes a folder that this user alone can write, or makes sure of it.

  Raises:
    NotOwnError: it is another's, a link, or open to others.
    OSError: it cannot be made.
  """
  path.mkdir(parents=True, exist_ok=True, mode=0o700)
  found = path.lstat()
  if not stat.S_ISDIR(found.st_mode):
    raise NotOwnError(f'{path} is a link')
  if hasattr(os, 'geteuid'):
    if found.st_uid != os.geteuid():
      raise NotOwnError(f'{path} belongs to another user')
    if found.st_mode & 0o022:
      raise NotOwnError(f'{path} can be written by other users')
  if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
    raise NotOwnError(f'{path} cannot be written')


@functools.cache
def _temporary(reason: str) -> pathlib.Path:
  """A folder that goes when this process ends."""
  _log.warning(
    'Compiled programs are not kept, so the next run compiles again: %s. Set '
    '%s to a folder of your own (mode 0700) to keep them.',
    reason,
    VARIABLE,
  )
  path = pathlib.Path(tempfile.mkdtemp(prefix='takin_jax-'))
  atexit.register(shutil.rmtree, path, ignore_errors=True)
  for name in (XLA, PROGRAMS):
    (path / name).mkdir(mode=0o700)
  return path
