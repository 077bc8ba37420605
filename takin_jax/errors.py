"""The one kind of error that a user can mend."""

from collections.abc import Iterator
import contextlib


class InputError(ValueError):
  """What was given cannot be used: one sentence with the reason and a remedy.

  Every part of the package raises it, or a subclass that names the part.

  Args:
    sentence: the reason and a remedy; names no option of a command line.
    argument: name of the argument at fault, '' where it is none. A command
      says its own option instead.
  """

  def __init__(self, sentence: str, argument: str = ''):
    super().__init__(sentence)
    self.sentence, self.argument = sentence, argument

  def __str__(self) -> str:
    if not self.argument:
      return self.sentence
    return f'{self.argument}: {self.sentence}'


@contextlib.contextmanager
def naming(argument: str) -> Iterator[None]:
  """Errors from within, where they name no argument, are about this one."""
  try:
    yield
  except InputError as error:
    error.argument = error.argument or argument
    raise
