"""Trains one stage: python train.py --config=configs/X.py --workdir=RUN.

The same command resumes. Any value of the config can be overridden:
--config.optim.lr=1e-4. --dry-run prints shapes, sizes and memory and exits.
Under SLURM, Open MPI or an indexed Kubernetes job the processes find each
other; elsewhere --coordinator, --num-processes and --process-id connect them.
"""

from collections.abc import Sequence
import difflib
import logging
from pathlib import Path
import re
import shlex
import sys
from typing import NoReturn

from absl import flags
from ml_collections import config_flags

from takin_jax.cli.errors import command
from takin_jax.config import config_leaves
from takin_jax.errors import InputError

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


def main(argv: Sequence[str] | None = None) -> NoReturn:
  """Command line; ends the process with the exit code."""
  sys.exit(_main(sys.argv[1:] if argv is None else list(argv)))


@command('train.py', interrupted='interrupted before the first step.')
def _main(arguments: list[str]) -> int:
  if {'-h', '-help', '--help'} & {*arguments}:
    print(__doc__, flags.FLAGS.module_help(__name__), sep='\n')
    return 0
  _parse(arguments)
  # Only now: --help and wrong arguments need not wait for JAX.
  from takin_jax import compilation
  from takin_jax.train import distributed, dry_run, loop

  logging.getLogger().setLevel(logging.WARNING)
  compilation.enable_cache()
  distributed.initialize(
    _COORDINATOR.value, _NUM_PROCESSES.value, _PROCESS_ID.value
  )
  if _DRY_RUN.value:
    dry_run.dry_run(_CONFIG.value)
  else:
    loop.run(_CONFIG.value, _WORKDIR.value, _this_command())
  return 0


def _this_command() -> str:
  """What was typed; a script needs its interpreter."""
  script = Path(sys.argv[0]).suffix == '.py'
  return shlex.join([*(['python'] if script else []), *sys.argv])


def _parse(arguments: list[str]) -> None:
  """Sets the flags.

  Raises:
    InputError: for a config that cannot be read, and unknown arguments.
  """
  try:
    rest = flags.FLAGS(['train.py', *arguments])[1:]
    if rest:
      raise InputError(f'unknown arguments: {" ".join(rest)}')
    if _CONFIG.value is None or not (_WORKDIR.value or _DRY_RUN.value):
      raise InputError('give --config=FILE and --workdir=FOLDER (or --dry-run)')
    _ = _CONFIG.value.stage  # a file that is not there is reported here
  except SyntaxError as error:
    raise InputError(f'{error.filename} is no config file: {error}') from None
  except (flags.Error, OSError, ValueError, AttributeError, KeyError) as error:
    sentence = _unknown_key(arguments) or _sentence(error)
    raise InputError(sentence) from None


def _unknown_key(arguments: list[str]) -> str:
  """A sentence about the first overridden key that the config lacks, or ''."""
  flag = re.compile(r'--?config([.=]|$)')
  given = [x.lstrip('-') for x in arguments if flag.match(x)]
  path = re.search(r'--?config[= ]([^ ]+)', ' '.join(arguments))
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
