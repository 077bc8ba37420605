"""The persistent compilation cache, shared by training and inference."""

from collections.abc import Iterator
import contextlib
import os
import pathlib

import jax
from jax.experimental.compilation_cache import compilation_cache


def enable_cache() -> pathlib.Path:
  """Keeps compiled programs in a folder of the user's own.

  The folder is `$TAKIN_CACHE_DIR/xla`, by default `~/.cache/takin_jax/xla`.
  It holds machine code: never point it to a folder that others can write.

  Returns:
    The folder.
  """
  default = pathlib.Path.home() / '.cache' / 'takin_jax'
  path = pathlib.Path(os.environ.get('TAKIN_CACHE_DIR', default)) / 'xla'
  path.mkdir(parents=True, exist_ok=True, mode=0o700)
  jax.config.update('jax_compilation_cache_dir', str(path))
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.5)
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
