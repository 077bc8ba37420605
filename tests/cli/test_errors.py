import pytest

from takin_jax.cli.errors import command
from takin_jax.data.media import MediaError
from takin_jax.data.records import RecordsError
from takin_jax.errors import InputError
from takin_jax.weights import WeightsError


def ends(error=None, *more):
  """The exit code of a program in which this error is raised."""

  @command('prog', *more)
  def main(argv):
    """What it does."""
    if error:
      raise error
    return argv

  assert main.__doc__ == 'What it does.'
  return main(7)


def test_what_is_returned_is_the_code(capsys):
  assert ends() == 7
  assert capsys.readouterr().err == ''


@pytest.mark.parametrize(
  'kind', [InputError, MediaError, RecordsError, WeightsError, OSError]
)
def test_what_the_user_can_mend_is_one_sentence(kind, capsys):
  assert ends(kind('Too small: take a larger one.')) == 2
  assert capsys.readouterr().err == 'prog: Too small: take a larger one.\n'


def test_ctrl_c(capsys):
  assert ends(KeyboardInterrupt()) == 130
  assert capsys.readouterr().err == 'prog: interrupted.\n'


def test_a_fault_of_the_program_is_a_traceback(capsys):
  with pytest.raises(ValueError, match='a fault'):
    ends(ValueError('a fault'))
  assert ends(ValueError('named'), ValueError) == 2
  assert capsys.readouterr().err == 'prog: named\n'
