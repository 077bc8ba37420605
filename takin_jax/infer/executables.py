"""Compiled programs on disk: start without tracing and compiling.

They are pickles of machine code. So the folder must be the user's own, every
file is signed with a secret of this folder, and what is not signed is never
unpickled. One is only read where everything that it depends on is the same:
this package's code, jaxlib, the device and its features, config and shapes.
"""

import concurrent.futures
import functools
import hashlib
import hmac
import os
import pathlib
import pickle
import platform
import re
import secrets
import shutil
import tempfile
from typing import Any

import jax
from jax.experimental import serialize_executable
import jaxlib

from takin_jax import cache_folder, locks

_KEEP = 64  # files; the oldest go
_SUFFIX = '.programs'
_SECRET, _SECRET_BYTES = 'secret', 32
_DIGEST = hashlib.sha256
# What killed runs leave, and the files of former versions.
_LEFT_OVER = re.compile(r'tmp\w{8}(\.part)?|[0-9a-f]{32}\.pickle')
_PACKAGE = pathlib.Path(__file__).parents[1]


def key(device: jax.Device, *facts: Any) -> str:
  """A name for programs that depend on the device and on `facts`."""
  parts = (
    _code(),
    jax.__version__,
    jaxlib.__version__,
    device.client.platform_version,
    device.device_kind,
    device.id,
    _cpu(),
    os.environ.get('XLA_FLAGS', ''),
    *facts,
  )
  return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def load(
  folder: pathlib.Path, name: str, device: jax.Device
) -> dict[str, Any] | None:
  """The programs saved as `name`, or None; whatever is damaged is None."""
  path = folder / f'{name}{_SUFFIX}'
  try:
    cache_folder.own(folder)
    if not path.is_file():
      return None
    signature, stored = _split(path.read_bytes())
    if not hmac.compare_digest(signature, _sign(folder, name, stored)):
      return None
    stored = pickle.loads(stored)
    with concurrent.futures.ThreadPoolExecutor() as pool:
      programs = pool.map(
        lambda parts: serialize_executable.deserialize_and_load(
          *parts, backend=device.client, execution_devices=[device]
        ),
        stored.values(),
      )
      programs = dict(zip(stored, programs, strict=True))
    os.utime(path)
  except Exception:  # of any kind: what cannot be used is made anew
    return None
  return programs


def save(folder: pathlib.Path, name: str, programs: dict[str, Any]) -> None:
  """Saves compiled programs where backend and disk can; old files go."""
  try:
    stored = pickle.dumps(
      {k: serialize_executable.serialize(v) for k, v in programs.items()}
    )
    cache_folder.own(folder)
    with locks.lock(folder / 'lock'):
      _prune(folder)
      _make_secret(folder)
      _write(folder / f'{name}{_SUFFIX}', _sign(folder, name, stored) + stored)
  except (
    OSError,
    ValueError,
    NotImplementedError,
    jax.errors.JaxRuntimeError,
  ):
    return


def _prune(folder: pathlib.Path) -> None:
  """Drops what killed runs left, and the oldest programs.

  Nobody else writes while the lock is held.
  """
  for path in folder.iterdir():
    if _LEFT_OVER.fullmatch(path.name):
      _remove(path)
  programs = [p for p in folder.glob(f'*{_SUFFIX}') if p.is_file()]
  programs.sort(key=lambda path: path.stat().st_mtime)
  for path in programs[: max(0, len(programs) - _KEEP + 1)]:
    _remove(path)


def _write(path: pathlib.Path, data: bytes) -> None:
  """Writes a file whole or not at all, in the place of whatever is there."""
  if path.is_dir():
    _remove(path)
  file, part = tempfile.mkstemp('.part', 'tmp', path.parent)
  try:
    with os.fdopen(file, 'wb') as opened:
      opened.write(data)
    os.replace(part, path)
  except OSError:
    os.unlink(part)
    raise


def _remove(path: pathlib.Path) -> None:
  if path.is_dir() and not path.is_symlink():
    shutil.rmtree(path)
  else:
    path.unlink()


def _split(data: bytes) -> tuple[bytes, bytes]:
  return data[: _DIGEST().digest_size], data[_DIGEST().digest_size :]


def _sign(folder: pathlib.Path, name: str, stored: bytes) -> bytes:
  """Holds for this name, folder, user and installation alone."""
  place = (name, str(folder.resolve()), str(_PACKAGE), _user())
  signed = hmac.new(_secret(folder), repr(place).encode(), _DIGEST)
  signed.update(stored)
  return signed.digest()


def _secret(folder: pathlib.Path) -> bytes:
  """The secret of a folder.

  Raises:
    ValueError: there is none, or it is damaged.
  """
  path = folder / _SECRET
  if path.is_file() and not path.is_symlink():
    secret = path.read_bytes()
    if len(secret) == _SECRET_BYTES:
      return secret
  raise ValueError(f'{path} holds no secret.')


def _make_secret(folder: pathlib.Path) -> None:
  """Makes the secret, unless there is one."""
  try:
    _secret(folder)
  except (OSError, ValueError):
    _write(folder / _SECRET, secrets.token_bytes(_SECRET_BYTES))


def _user() -> int:
  return os.geteuid() if hasattr(os, 'geteuid') else 0


@functools.cache
def _code() -> str:
  """Digest of this package's code."""
  digest = hashlib.sha256()
  for path in sorted(_PACKAGE.rglob('*.py')):
    digest.update(path.read_bytes())
  return digest.hexdigest()


@functools.cache
def _cpu() -> str:
  """Instruction sets of this processor, as far as the system tells."""
  info = pathlib.Path('/proc/cpuinfo')
  if not info.is_file():
    return platform.processor()
  lines = info.read_text().splitlines()
  return next((x for x in lines if x.startswith(('flags', 'Features'))), '')
