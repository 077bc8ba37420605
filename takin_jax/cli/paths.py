"""The files that a command names, checked before JAX is imported."""

import argparse

from takin_jax.data import media
from takin_jax.errors import InputError, naming

# Option of a file that is read -> the library's argument.
_READ = {
  'source': 'portrait',
  'audio': 'speech',
  'driving': 'video',
  'emotion_from': 'emotion_from',
}


def check_paths(args: argparse.Namespace) -> None:
  """Whether what is read is there, and the output can be written.

  Args:
    args: of `options.py`.

  Raises:
    InputError: a file is missing, or the output would take the place of one.
  """
  given = {name: getattr(args, option) for option, name in _READ.items()}
  for argument, path in given.items():
    if path is not None:
      with naming(argument):
        media.require_file(path)
  if args.benchmark:
    return
  try:
    media.check_no_input(args.output, given.values())
    if args.stream or args.realtime:
      media.live_format(args.output)
    else:
      media.check_output(args.output)
  except media.MediaError as error:
    raise InputError(error.sentence, 'output') from None
