"""Trains one stage: python train.py --config=configs/X.py --workdir=RUN.

The same command resumes. Any value of the config can be overridden:
--config.optim.lr=1e-4.
"""

import logging
import shlex
import sys

from absl import app, flags
from ml_collections import config_flags

from takin_jax import compilation
from takin_jax.train import loop, metrics

_CONFIG = config_flags.DEFINE_config_file('config', None, 'Config file.')
_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of this run.')


def main(argv: list[str]) -> None:
  """Runs the training; bad input is one sentence and exit code 2."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments: {" ".join(argv[1:])}')
  logging.getLogger().setLevel(logging.WARNING)
  compilation.enable_cache()
  command = f'python {shlex.join(sys.argv)}'
  try:
    loop.run(_CONFIG.value, _WORKDIR.value, command)
  except (ValueError, metrics.DivergedError) as error:
    print(f'train.py: {error}', file=sys.stderr)
    sys.exit(2)


if __name__ == '__main__':
  flags.mark_flags_as_required(['config', 'workdir'])
  app.run(main)
