"""The persistent compilation cache, shared by training and inference."""

import os
import pathlib

import jax


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
