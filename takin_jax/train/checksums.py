"""Checksums of a checkpoint's files: what was saved is what is restored."""

import hashlib
import os
import pathlib

FILE = 'SHA256SUMS'  # in the format of the program sha256sum


class ChecksumError(ValueError):
  """A file is not what was saved."""


def write(folder: pathlib.Path) -> None:
  """Writes the checksums of all files in a folder, whole or not at all."""
  lines = [f'{_digest(folder / name)}  {name}\n' for name in _files(folder)]
  part = folder / f'{FILE}.part'
  part.write_text(''.join(lines))
  os.replace(part, folder / FILE)


def verify(folder: pathlib.Path) -> None:
  """Compares the files of a folder with their checksums.

  A folder without checksums, as a run leaves that was killed in between, has
  nothing to compare.

  Raises:
    ChecksumError: a file differs or is missing.
  """
  path = folder / FILE
  if not path.exists():
    return
  lines = path.read_bytes().decode(errors='replace').splitlines()
  if not lines:
    raise ChecksumError(f'{FILE} is empty')
  for line in lines:
    digest, _, name = line.partition('  ')
    file = folder / name
    if not name or not file.is_file() or _digest(file) != digest:
      raise ChecksumError(f'{name or FILE} is not what was saved')


def _files(folder: pathlib.Path) -> list[str]:
  paths = sorted(path for path in folder.rglob('*') if path.is_file())
  names = (str(path.relative_to(folder)) for path in paths)
  return [name for name in names if not name.startswith(FILE)]


def _digest(path: pathlib.Path) -> str:
  with path.open('rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()
