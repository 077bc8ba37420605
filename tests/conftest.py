"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope='session')
def test_data() -> Path:
  """Folder of real clips, portraits and speech; skips where there is none."""
  folder = os.environ.get('TAKIN_TEST_DATA')
  if not folder or not Path(folder).is_dir():
    pytest.skip('TAKIN_TEST_DATA names no folder of real clips')
  return Path(folder)


def pytest_addoption(parser):
  parser.addoption(
    '--golden',
    metavar='DIR',
    help='folder of reference outputs for tests/test_parity.py',
  )
