"""Our modules against reference outputs of the original PyTorch ones.

  pytest tests/test_parity.py [--golden DIR] [-m '']

Checks every case of a folder in the format of tests/golden; the weights of a
case come from the recipe in its JSON. Full-size cases of the default folder are
marked slow.
"""

from pathlib import Path

import jax
import pytest

from tests import golden_case
from tests.parity import formulas, generators, network_run, pieces, speech
from tests.parity.report import Check, line


def liveportrait(name: str, folder: Path) -> list[Check]:
  """A network, or the functions without weights."""
  kind = pieces.functional if name.endswith('functional') else network_run.run
  return kind(name, folder)


# Folder -> how its cases are checked: `(name, folder)` -> checks.
KINDS = {
  'liveportrait': liveportrait,
  'hubert': speech.hubert,
  'conformer': speech.conformer,
  'ddim': formulas.ddim,
  'losses': formulas.losses,
  'motion_generators': generators.run,
}
LARGE = ('_full', '/large')


def find(folder: Path) -> list[str]:
  """Names of the cases of a folder."""
  names = []
  for kind in KINDS:
    for path in sorted((folder / kind).glob('*.npz')):
      names.append(f'{kind}/{path.stem}')
  return names


def pytest_generate_tests(metafunc):
  given = metafunc.config.getoption('golden')
  folder = Path(given) if given else golden_case.FOLDER
  cases = [
    pytest.param(
      folder,
      name,
      id=name,
      marks=[pytest.mark.slow]
      if not given and name.endswith(LARGE) and 'mlp' not in name
      else [],
    )
    for name in find(folder)
  ]
  assert cases, f'{folder} holds no golden case'
  metafunc.parametrize('folder, name', cases)


def test_parity(folder, name, capsys):
  with jax.default_matmul_precision('highest'):
    checks = KINDS[name.split('/')[0]](name, folder)
    text = line(name, checks)
    with capsys.disabled():
      print(f'\n  {text}', end='')
    if not all(check.good for check in checks):
      layers = network_run.probes(name, folder)
      pytest.fail('\n'.join([text, *layers]), pytrace=False)
