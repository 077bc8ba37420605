"""The persistent compilation cache, shared by training and inference."""

from collections.abc import Iterator
import contextlib
import pathlib
import warnings

import jax
from jax.experimental.compilation_cache import compilation_cache

from takin_jax import cache_folder


def enable_cache() -> pathlib.Path:
  """Keeps compiled programs in a folder of the user's own.

  Returns:
    The folder, see `cache_folder.find`.
  """
  path = cache_folder.find() / cache_folder.XLA
  jax.config.update('jax_compilation_cache_dir', str(path))
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.5)
  # Damage and full disks only mean that programs are compiled again.
  warnings.filterwarnings(
    'ignore', 'Error (reading|writing) persistent compilation cache'
  )
  return path


@contextlib.contextmanager
def bypass_cache() -> Iterator[None]:
  """Compiles anew within: for programs that shall be serialised.

  XLA:CPU loses functions of a program that it read from its cache when that
  program is serialised once more (jaxlib 0.10.2).
  """
  enabled = jax.config.jax_enable_compilation_cache
  jax.config.update('jax_enable_compilation_cache', False)
  compilation_cache.reset_cache()  # it remembers whether it is in use
  try:
    yield
  finally:
    jax.config.update('jax_enable_compilation_cache', enabled)
    compilation_cache.reset_cache()
