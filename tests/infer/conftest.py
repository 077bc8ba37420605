"""Tiny weights and an engine that is compiled once."""

import functools

import cv2
import jax
import pytest

import infer
from takin_jax.animation.chunks import ChunkConfig
from takin_jax.infer import animate, loading
from takin_jax.infer.engine import Engine
from tests.infer import make, tiny


@pytest.fixture(scope='session')
def tiny_weights(tmp_path_factory):
  """A weights folder."""
  return tiny.save(tmp_path_factory.mktemp('weights') / 'tiny')


@functools.cache
def _engine(folder, video, plan=None):
  return Engine(*loading.load(folder), jax.devices('cpu')[0], video, plan)


@pytest.fixture(scope='session')
def engine(tiny_weights):
  """The tiny weights compiled for speech."""
  return _engine(tiny_weights, False)


@pytest.fixture(scope='session')
def live_engine(tiny_weights):
  """The same, in chunks of 4 frames that hear 2 frames ahead."""
  return _engine(tiny_weights, False, ChunkConfig(4, 2, 10))


@pytest.fixture
def quick(monkeypatch, tmp_path, tiny_weights):
  """Keeps infer.py from compiling anew and from the user's own cache."""
  monkeypatch.setenv('TAKIN_CACHE_DIR', str(tmp_path / 'cache'))
  monkeypatch.setattr(
    animate,
    'Engine',
    lambda config, params, device, video, plan, store: _engine(
      tiny_weights, video, plan
    ),
  )


@pytest.fixture
def run(quick, tiny_weights, tmp_path, monkeypatch, capfd):
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


@pytest.fixture
def portrait(tmp_path):
  path = tmp_path / 'portrait.png'
  cv2.imwrite(str(path), make.NOISE)
  return path


@pytest.fixture
def speech(tmp_path):
  return make.write_audio(tmp_path / 'speech.wav', make.VOICE[None], 16_000)
