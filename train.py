"""Trains one stage: python train.py --config=configs/X.py --workdir=RUN.

The same command resumes. Any value of the config can be overridden:
--config.optim.lr=1e-4. --dry-run prints shapes, sizes and memory and exits.
Under SLURM, Open MPI or an indexed Kubernetes job the processes find each
other; elsewhere --coordinator, --num-processes and --process-id connect them.
"""

import difflib
import logging
import re
import shlex
import sys

from absl import app, flags
from ml_collections import config_flags

from takin_jax import compilation
from takin_jax.config import config_leaves
from takin_jax.train import distributed, dry_run, loop, metrics

_CONFIG = config_flags.DEFINE_config_file('config', None, 'Config file.')
_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of this run.')
_DRY_RUN = flags.DEFINE_bool(
  'dry-run', False, 'Print what a run would need, and exit.'
)
_COORDINATOR = flags.DEFINE_string(
  'coordinator', None, 'HOST:PORT of process 0.'
)
_NUM_PROCESSES = flags.DEFINE_integer(
  'num-processes', None, 'How many processes train together.'
)
_PROCESS_ID = flags.DEFINE_integer(
  'process-id', None, 'Which of them this is, from 0.'
)


def parse(argv: list[str]) -> list[str]:
  """Parses flags; a config that cannot be read is one sentence."""
  try:
    rest = flags.FLAGS(argv)
    if _CONFIG.value is None or not (_WORKDIR.value or _DRY_RUN.value):
      raise ValueError('give --config=FILE and --workdir=FOLDER (or --dry-run)')
    if len(rest) > 1:
      raise ValueError(f'unknown arguments: {" ".join(rest[1:])}')
    _ = _CONFIG.value.stage  # a file that is not there is reported here
  except SyntaxError as error:
    _fail(f'{error.filename} is no config file: {error}')
  except (flags.Error, OSError, ValueError, AttributeError, KeyError) as error:
    _fail(_unknown_key(argv) or _sentence(error))
  return rest


def _unknown_key(argv: list[str]) -> str:
  """A sentence about the first overridden key that the config lacks, or ''."""
  flag = re.compile(r'--?config([.=]|$)')
  given = [x.lstrip('-') for x in argv if flag.match(x)]
  path = re.search(r'--?config[= ]([^ ]+)', ' '.join(argv))
  try:
    leaves = config_leaves(flags.FLAGS['config'].parser.parse(path[1]))
  except Exception:  # the file is at fault, which another sentence tells
    return ''
  for name in given:
    key = name.partition('=')[0].removeprefix('config.')
    block = any(leaf.startswith(f'{key}.') for leaf in leaves)
    if key not in ('config', *leaves) and not block:
      (near,) = difflib.get_close_matches(key, leaves, 1, 0.0)
      return f'{path[1]} has no value {key!r}; the nearest is {near!r}.'
  return ''


def _sentence(error: Exception) -> str:
  """The line of a message of config_flags that names the problem."""
  cause: object = error
  while isinstance(cause, Exception) and len(cause.args) == 1:
    cause = cause.args[0]
  text = str(cause)
  if 'No such file' in text:
    return f'There is no config file {text.rsplit("directory: ", 1)[-1]}.'
  lines = [line.strip() for line in text.splitlines() if line.strip()]
  return next((s for s in reversed(lines) if 'Error:' in s), lines[0])


def _fail(message: str) -> None:
  print(f'train.py: {message}', file=sys.stderr)
  sys.exit(2)


def main(argv: list[str]) -> None:
  """Runs the training; bad input is one sentence and exit code 2."""
  del argv
  logging.getLogger().setLevel(logging.WARNING)
  compilation.enable_cache()
  command = f'python {shlex.join(sys.argv)}'
  try:
    distributed.initialize(
      _COORDINATOR.value, _NUM_PROCESSES.value, _PROCESS_ID.value
    )
    if _DRY_RUN.value:
      dry_run.dry_run(_CONFIG.value)
    else:
      loop.run(_CONFIG.value, _WORKDIR.value, command)
  except (ValueError, metrics.DivergedError) as error:
    _fail(str(error))


if __name__ == '__main__':
  app.run(main, flags_parser=parse)
