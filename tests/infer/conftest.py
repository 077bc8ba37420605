"""Tiny weights and one engine, which compiles what the tests ask for."""

import functools

import cv2
import jax
import pytest

from takin_jax.infer import checkpoint
from takin_jax.infer.engine import Engine
from tests import tiny
from tests.infer import make


@functools.cache
def tiny_engine(folder):
  """The one engine of these weights."""
  return Engine(*checkpoint.load(folder), jax.devices('cpu')[0])


@pytest.fixture(scope='session')
def tiny_weights(tmp_path_factory):
  """A weights folder."""
  return tiny.save(tmp_path_factory.mktemp('weights') / 'tiny')


@pytest.fixture(scope='session')
def engine(tiny_weights):
  """The tiny weights' engine."""
  return tiny_engine(tiny_weights)


@pytest.fixture
def pipe(engine, tiny_weights):
  """A pipeline around it."""
  from takin_jax.infer.pipeline import Pipeline

  pipe = Pipeline(*checkpoint.load(tiny_weights), engine.device)
  pipe.engine = engine
  return pipe


@pytest.fixture
def portrait(tmp_path):
  path = tmp_path / 'portrait.png'
  cv2.imwrite(str(path), make.NOISE)
  return path


@pytest.fixture
def speech(tmp_path):
  return make.write_audio(tmp_path / 'speech.wav', make.VOICE[None], 16_000)
