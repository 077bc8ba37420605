"""The direction of imports: who may know whom."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / 'takin_jax'

_BASE = {'errors', 'face', 'rng', 'types', 'shapes', 'config', 'compilation'}
_MATHS = _BASE | {'ops', 'nn'}
_NETWORKS = _MATHS | {'models', 'renderer', 'diffusion', 'losses', 'weights'}
_NETWORKS |= {'audio_to_motion'}
# Part of the package -> the other parts that it may import.
ALLOWED = {
  '': {'api'},
  'errors': set(),
  'face': set(),
  'types': {'face'},
  'rng': set(),
  'shapes': set(),
  'config': {'errors'},
  'locks': set(),
  'cache_folder': set(),
  'compilation': {'cache_folder'},
  'data': {'config', 'errors', 'face'},
  'ops': _BASE,
  'nn': _BASE | {'ops'},
  'models': _MATHS,
  'renderer': _MATHS | {'models'},
  'diffusion': _MATHS | {'models'},
  'losses': _MATHS | {'models', 'renderer', 'diffusion'},
  'audio_to_motion': _MATHS | {'models', 'diffusion'},
  'animation': _NETWORKS,
  'weights': _BASE,
  'convert': _NETWORKS,
  'train': _NETWORKS | {'animation', 'data', 'locks'},
  'infer': _NETWORKS | {'animation', 'data', 'locks', 'cache_folder'},
  'api': _NETWORKS | {'animation', 'infer', 'cache_folder'},
  # What is judged is what the user gets: the engine's own frames.
  'eval': _NETWORKS | {'animation', 'data', 'infer'},
  'cli': _NETWORKS | {'animation', 'data', 'train', 'infer', 'eval', 'convert'},
}
LONG = 50  # lines of a function; configs are tables, and may be longer
# What every file with a `main` may know.
OF_COMMANDS = 'takin_jax.cli.errors.command'
MODULES = sorted(PACKAGE.rglob('*.py'))


def imported(path: Path) -> Iterator[str]:
  """Dotted names of all modules that a file imports, inside functions too."""
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      assert not node.level, f'{path}: relative import'
      yield from (f'{node.module}.{alias.name}' for alias in node.names)


def part(path: Path) -> str:
  """takin_jax/ops/geometry.py -> ops; takin_jax/types.py -> types."""
  relative = path.relative_to(PACKAGE).with_suffix('')
  return (
    ''
    if relative.name == '__init__' and len(relative.parts) == 1
    else (relative.parts[0])
  )


def test_a_module_is_found():
  assert PACKAGE / 'types.py' in MODULES


@pytest.mark.parametrize(
  'path', MODULES, ids=lambda p: str(p)[len(str(ROOT)) :]
)
def test_direction(path):
  """Imports inside the package point one way only."""
  here = part(path)
  assert here in ALLOWED, f'give {here} a place in the layers'
  for name in imported(path):
    if not name.startswith('takin_jax.'):
      continue
    if name == OF_COMMANDS and 'def main(' in path.read_text():
      continue
    there = name.split('.')[1]
    assert there == here or there in ALLOWED[here], f'{path} imports {name}'


@pytest.mark.parametrize('path', sorted((PACKAGE / 'models').glob('*.py')))
def test_models_do_not_know_each_other(path):
  for name in imported(path):
    assert not name.startswith('takin_jax.models'), f'{path} imports {name}'
    assert not name.startswith('ml_collections'), f'{path} sees a ConfigDict'


def test_data_does_not_know_jax():
  for path in (PACKAGE / 'data').rglob('*.py'):
    for name in imported(path):
      top = name.split('.')[0]
      assert top not in ('jax', 'flax', 'optax'), f'{path} imports {name}'


def test_linen_modules_live_in_nn_and_models():
  for path in MODULES:
    if part(path) not in ('nn', 'models'):
      assert 'flax.linen' not in set(imported(path)), path


def test_torch_lives_in_convert_only():
  for path in MODULES:
    if part(path) != 'convert':
      tops = {name.split('.')[0] for name in imported(path)}
      assert 'torch' not in tops, path


def called(path: Path) -> Iterator[str]:
  """Names of all functions that a file calls, without what is before a dot."""
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.Call):
      yield getattr(node.func, 'id', getattr(node.func, 'attr', ''))


def test_stage_2_is_composed_once():
  """Others call `audio_to_motion`; its networks are built nowhere else."""
  own = PACKAGE / 'audio_to_motion.py'
  for path in MODULES:
    built = {'Hubert', 'MotionDenoiser'} & set(called(path))
    assert bool(built) == (path == own), f'{path} builds {built}'


def test_float_becomes_uint8_once():
  """All frames are rounded alike; reading files is another matter."""
  rounding = 'astype(jnp.uint8)'
  for path in MODULES:
    wanted = path == PACKAGE / 'renderer.py'
    assert (rounding in path.read_text()) == wanted, path


def functions(path: Path) -> Iterator[tuple[str, int]]:
  """Name and number of lines of every function in a file."""
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
      yield node.name, node.end_lineno - node.lineno + 1


@pytest.mark.parametrize('folder', ['takin_jax', 'benchmarks'])
def test_functions_are_short(folder):
  paths = [*(ROOT / folder).rglob('*.py'), *ROOT.glob('*.py')]
  long = [
    f'{path.relative_to(ROOT)}: {name} has {lines} lines'
    for path in paths
    for name, lines in functions(path)
    if lines > LONG
  ]
  assert not long, 'split by job: ' + '; '.join(long)


def test_files_are_short():
  for path in MODULES:
    lines = path.read_text().count('\n')
    assert lines <= 300, f'{path} has {lines} lines: split it by job'
