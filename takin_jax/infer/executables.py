"""Compiled programs on disk: start without tracing and compiling.

They are pickles of machine code, so the folder must be the user's own, and one
is only read where everything that it depends on is the same: this package's
code, jaxlib, the device and its features, config and shapes.
"""

import concurrent.futures
import functools
import hashlib
import os
import pathlib
import pickle
import platform
import tempfile
from typing import Any

import jax
from jax.experimental import serialize_executable
import jaxlib

_KEEP = 16  # files; the oldest go


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
  path = folder / f'{name}.pickle'
  try:
    stored = pickle.loads(path.read_bytes())
    with concurrent.futures.ThreadPoolExecutor() as pool:
      programs = pool.map(
        lambda parts: serialize_executable.deserialize_and_load(
          *parts, backend=device.client, execution_devices=[device]
        ),
        stored.values(),
      )
      programs = dict(zip(stored, programs, strict=True))
  except FileNotFoundError:
    return None
  except Exception:  # of any kind: what cannot be used is made anew
    path.unlink(missing_ok=True)
    return None
  os.utime(path)
  return programs


def save(folder: pathlib.Path, name: str, programs: dict[str, Any]) -> None:
  """Saves compiled programs where the backend can; old files go."""
  try:
    stored = pickle.dumps(
      {k: serialize_executable.serialize(v) for k, v in programs.items()}
    )
  except (ValueError, NotImplementedError, jax.errors.JaxRuntimeError):
    return
  folder.mkdir(parents=True, exist_ok=True, mode=0o700)
  with tempfile.NamedTemporaryFile(dir=folder, delete=False) as part:
    part.write(stored)
  os.replace(part.name, folder / f'{name}.pickle')
  files = sorted(folder.glob('*.pickle'), key=lambda f: f.stat().st_mtime)
  for old in files[:-_KEEP]:
    old.unlink(missing_ok=True)


@functools.cache
def _code() -> str:
  """Digest of this package's code."""
  digest = hashlib.sha256()
  for path in sorted(pathlib.Path(__file__).parents[1].rglob('*.py')):
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
