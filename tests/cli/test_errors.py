import os
import signal
import subprocess
import sys
import time

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


@pytest.mark.parametrize('closed', ['<&-', '>&-', '2>&-', '<&- >&- 2>&-'])
def test_streams_that_are_closed_are_not_reused(tmp_path, closed):
  """The first file that is opened must not become the standard output."""
  code = (
    'import sys\n'
    'from takin_jax.cli.errors import command\n'
    '@command("prog")\n'
    'def main(path):\n'
    '  with open(path, "w") as file:\n'
    '    print("to nobody")\n'
    '    print("to nobody", file=sys.stderr)\n'
    '    assert file.fileno() > 2 and not sys.stdin.read()\n'
    '    file.write("done")\n'
    '  return 0\n'
    'sys.exit(main(sys.argv[1]))\n'
  )
  path = tmp_path / 'file'
  script = f'exec "$@" < /dev/null > /dev/null {closed}'
  command = ['bash', '-c', script, '-', sys.executable, '-c', code, str(path)]
  root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
  assert subprocess.run(command, cwd=root).returncode == 0
  assert path.read_text() == 'done'


@pytest.mark.parametrize('name', ['SIGTERM', 'SIGHUP'])
def test_other_signals_end_it_like_ctrl_c(name, capsys, request):
  number, cleaned = getattr(signal, name), []
  before = signal.signal(number, signal.SIG_DFL)  # nohup: ignored
  request.addfinalizer(lambda: signal.signal(number, before))

  @command('prog')
  def main():
    try:
      os.kill(os.getpid(), number)
      time.sleep(5)
    finally:
      os.kill(os.getpid(), number)  # the second one does not disturb it
      cleaned.append(True)

  assert main() == 130
  assert cleaned and signal.getsignal(number) == signal.SIG_DFL
  assert capsys.readouterr().err == 'prog: interrupted.\n'


def test_what_nohup_ignores_stays_ignored():
  before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
  try:
    seen = []
    command('prog')(lambda: seen.append(signal.getsignal(signal.SIGHUP)))()
    assert seen == [signal.SIG_IGN]
  finally:
    signal.signal(signal.SIGHUP, before)
