"""The command `takin`: talks by default, and leads to all other commands."""

from collections.abc import Callable, Sequence
import importlib
import sys

# Command -> module with a `main(argv)`, read only when it is wanted.
COMMANDS = {
  'train': 'takin_jax.cli.train',
  'prepare': 'takin_jax.data.prepare.__main__',
  'convert': 'takin_jax.convert.__main__',
  'eval': 'takin_jax.eval.__main__',
  'export': 'takin_jax.train.release.export',
}
_HELP = f"""
commands: takin COMMAND --help says more
  talk       makes a portrait talk or move (may be left out)
  benchmark  how fast this model runs here
  {', '.join(COMMANDS)}
"""


def main(argv: Sequence[str] | None = None) -> int:
  """Command line; returns the exit code."""
  argv = list(sys.argv[1:] if argv is None else argv)
  name = argv[0] if argv else ''
  if name in COMMANDS:
    run: Callable = importlib.import_module(COMMANDS[name]).main
    return run(argv[1:])
  from takin_jax.cli import infer

  if name == 'benchmark':
    return infer.main(['--benchmark', *argv[1:]], 'takin benchmark')
  if name == 'talk':
    argv = argv[1:]
  return infer.main(argv, 'takin', _HELP)
