"""The toy task for the tests of this folder, and quick compilation."""

import jax
import pytest

from tests.train import toy_task


@pytest.fixture(autouse=True)
def quick_compilation():
  """Compiling takes longer than all that these tests compute."""
  jax.config.update('jax_disable_most_optimizations', True)
  yield
  jax.config.update('jax_disable_most_optimizations', False)


@pytest.fixture
def config():
  """Four steps of the toy task."""
  return toy_task.toy_config()
