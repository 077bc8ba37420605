"""How a command ends: its exit code, and one sentence about what is wrong.

It knows nothing but the package's one error, so that every `main` may use it.
"""

from collections.abc import Callable, Iterator, Mapping
import contextlib
import functools
import os
import signal
import sys
import threading

from takin_jax.errors import InputError

BAD_INPUT = 2
INTERRUPTED = 130  # 128 and the number of SIGINT, as shells say it
# A closed terminal and a service manager end a command as Ctrl-C does.
_ALIKE = ('SIGTERM', 'SIGHUP')


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
        with _ended_like_ctrl_c():
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


@contextlib.contextmanager
def _ended_like_ctrl_c() -> Iterator[None]:
  """Within, other signals clean up, too; those that are ignored stay so."""
  before = {}

  def interrupt(number: int, frame: object) -> None:
    for alike in before:  # one that comes while it cleans up changes nothing
      signal.signal(alike, signal.SIG_IGN)
    raise KeyboardInterrupt

  if threading.current_thread() is threading.main_thread():
    for name in _ALIKE:
      number = getattr(signal, name, None)
      if number and signal.getsignal(number) == signal.SIG_DFL:
        before[number] = signal.signal(number, interrupt)
  try:
    yield
  finally:
    for number, handler in before.items():
      signal.signal(number, handler)
