"""The toy task for the tests of this folder."""

import pytest

from tests.train import toy_task


@pytest.fixture
def config():
  """Four steps of the toy task."""
  return toy_task.toy_config()
