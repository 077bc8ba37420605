"""The command `infer.py` with tiny weights, in an empty folder."""

import pytest

from takin_jax.cli import infer
from takin_jax.infer import pipeline
from tests.infer.conftest import (  # noqa: F401
  portrait,
  speech,
  tiny_engine,
  tiny_weights,
)


@pytest.fixture
def quick(monkeypatch, tmp_path, tiny_weights):  # noqa: F811
  """Keeps it from compiling anew and from the user's own cache."""
  monkeypatch.setenv('TAKIN_CACHE_DIR', str(tmp_path / 'cache'))
  monkeypatch.setattr(pipeline, 'Engine', lambda *_: tiny_engine(tiny_weights))


@pytest.fixture
def run(quick, tiny_weights, tmp_path, monkeypatch, capfd):  # noqa: F811
  """Runs infer.py in an empty folder; returns exit code, output, errors."""
  del quick
  folder = tmp_path / 'work'
  folder.mkdir()
  monkeypatch.chdir(folder)

  def run(*args):
    try:
      code = infer.main(['--weights', str(tiny_weights), *map(str, args)])
    except SystemExit as stop:
      code = stop.code
    out, err = capfd.readouterr()
    return code, out, err

  run.weights = tiny_weights
  return run


@pytest.fixture
def refused(run, tmp_path):
  """Runs infer.py on bad input; returns the one sentence it says."""

  def refused(*args):
    code, out, err = run(*args)
    assert code == 2, err
    assert not out
    assert err.count('\n') == 1, err
    assert not list((tmp_path / 'work').iterdir()), 'something was written'
    return err

  return refused
