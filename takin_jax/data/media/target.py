"""Where a video is written: checked before any work is done for it."""

from collections.abc import Collection, Iterable
import os
from pathlib import Path
import secrets
import stat

from takin_jax.data.media.decode import StrPath
from takin_jax.data.media.errors import MediaError


def check_target(
  path: StrPath, endings: Collection[str], special: bool = False
) -> Path:
  """The place of an output file.

  Args:
    path: the name that was asked for; symbolic links are followed.
    endings: those that name a container, in lower case with their dot.
    special: pipes and devices are written to; otherwise they are refused, for
      a finished file takes the place of what bears its name.

  Returns:
    The file's own path, free of links.

  Raises:
    MediaError: nothing can be written there, or in another kind of file.
  """
  name = os.fspath(path)
  if not name or '\0' in name:
    raise MediaError('The output has no name: give one, talking.mp4 say.')
  if name.endswith(('/', os.sep)) or os.path.isdir(name):
    raise MediaError(f'{name} is a folder: add a file name to it.')
  place = Path(os.path.realpath(name))
  mode = _mode(place, name)
  folder = place.parent
  if not os.path.isdir(folder):
    raise MediaError(f'{folder} is not a folder: make it, or choose another.')
  if mode is not None and not stat.S_ISREG(mode) and not special:
    raise MediaError(
      f'{name} is a pipe or a device, and a video is written into a file: give '
      'a file name.'
    )
  ending = os.path.splitext(Path(name).name)[1].lower()
  if ending not in endings:
    raise MediaError(
      f'{name} does not end in {", ".join(endings)}: choose one of these.'
    )
  if not os.access(folder, os.W_OK | os.X_OK):
    raise MediaError(f'{folder} is not writable: choose another folder.')
  return place


def check_no_input(path: StrPath, inputs: Iterable[StrPath | None]) -> None:
  """Raises MediaError if an output is one of its inputs, also through links."""
  for source in inputs:
    try:
      same = source is not None and os.path.samefile(path, source)
    except (OSError, ValueError):  # one of them is not there
      same = False
    if same:
      raise MediaError(
        f'{os.fspath(path)} is an input, too, and would be overwritten: choose '
        'another name.'
      )


def create_part(place: Path) -> Path:
  """Makes the empty file under whose name an output grows.

  Its name cannot be foreseen, so that nobody can lay a link there.

  Raises:
    MediaError: the folder takes no file.
  """
  part = place.with_name(f'.{secrets.token_hex(8)}.part')
  flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, 'O_NOFOLLOW', 0)
  try:
    os.close(os.open(part, flags, 0o666))
  except OSError as e:
    raise MediaError(
      f'{place.parent} is not writable: choose another folder.'
    ) from e
  return part


def _mode(place: Path, name: str) -> int | None:
  """What lies there; None: nothing."""
  try:
    return place.stat().st_mode
  except (FileNotFoundError, NotADirectoryError):
    return None
  except OSError as e:  # a name too long, links in a circle
    raise MediaError(
      f'{name[:60]} cannot be written ({e.strerror}): choose another name.'
    ) from e
