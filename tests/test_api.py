"""The front door: what `import takin_jax` gives, and how fast."""

import subprocess
import sys

import pytest

import takin_jax
from takin_jax import api


def test_importing_it_imports_nothing_heavy():
  code = (
    'import sys, takin_jax; assert "load" in dir(takin_jax);'
    'heavy = {"jax", "numpy", "flax", "cv2", "av"} & set(sys.modules);'
    'assert not heavy, heavy'
  )
  subprocess.run([sys.executable, '-c', code], check=True)


def test_both_lists_of_names_are_the_same():
  assert takin_jax.__all__ == api.__all__
  for name in takin_jax.__all__:
    assert getattr(takin_jax, name) is getattr(api, name)


def test_another_name_is_an_error():
  with pytest.raises(AttributeError, match='nonsense'):
    takin_jax.nonsense  # noqa: B018


def test_the_examples_are_there():
  assert takin_jax.EXAMPLE_PORTRAIT.is_file()
  assert takin_jax.EXAMPLE_SPEECH.is_file()


@pytest.mark.parametrize(
  ('wrong', 'argument'),
  [
    ({'name_or_folder': 'nowhere'}, ''),
    ({'device': 'abacus'}, 'device'),
    ({'dtype': 'float8'}, 'dtype'),
    ({'steps': 99_999}, 'steps'),
    ({'config': 'nowhere.py'}, 'config'),
  ],
)
def test_what_cannot_be_loaded_is_named(wrong, argument):
  with pytest.raises(takin_jax.InputError) as error:
    takin_jax.load(**wrong)
  assert error.value.argument == argument
  assert '--' not in str(error.value) and '\n' not in str(error.value)


def test_loading_changes_nothing_for_the_rest_of_the_process(tmp_path):
  import jax

  before = dict(jax.config.values)
  takin_jax.load(device='cpu', cache=tmp_path)
  assert dict(jax.config.values) == before
