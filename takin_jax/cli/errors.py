"""How a command ends: its exit code, and one sentence about what is wrong.

It knows nothing but the package's one error, so that every `main` may use it.
"""

from collections.abc import Callable, Mapping
import functools
import os
import sys

from takin_jax.errors import InputError

BAD_INPUT = 2
INTERRUPTED = 130  # 128 and the number of SIGINT, as shells say it


def command(
  name: str,
  *more: type[Exception],
  interrupted: str = 'interrupted.',
  options: Mapping[str, str] | None = None,
) -> Callable[[Callable[..., int]], Callable[..., int]]:
  """Makes a `main` end with an exit code instead of a traceback.

  Args:
    name: the program's, before every sentence.
    *more: errors that the user can mend, beside `InputError` and `OSError`.
    interrupted: what is said after Ctrl-C.
    options: the command's names of the library's arguments.

  Returns:
    A decorator of a function that returns 0, or another exit code.
  """

  def decorate(main: Callable[..., int]) -> Callable[..., int]:
    @functools.wraps(main)
    def run(*args: object, **kwargs: object) -> int:
      open_standard_streams()
      try:
        return main(*args, **kwargs)
      except (InputError, OSError, *more) as error:
        print(f'{name}: {_sentence(error, options)}', file=sys.stderr)
        return BAD_INPUT
      except KeyboardInterrupt:
        print(f'{name}: {interrupted}', file=sys.stderr)
        return INTERRUPTED

    return run

  return decorate


def open_standard_streams() -> None:
  """Gives a process that was started without them its standard streams.

  Else the next file that it opens becomes one of them.
  """
  for number, name in enumerate(('stdin', 'stdout', 'stderr')):
    if getattr(sys, name) is None:
      file = os.open(os.devnull, os.O_RDWR)
      if file != number:
        os.dup2(file, number)
        os.close(file)
      stream = os.fdopen(number, 'w' if number else 'r')
      setattr(sys, name, stream)


def _sentence(error: Exception, options: Mapping[str, str] | None) -> str:
  """What the error says, with the option in place of the argument."""
  argument = getattr(error, 'argument', '')
  option = (options or {}).get(argument)
  return f'{option}: {error.sentence}' if option else str(error)
