"""Hundreds of bad weights, configs, flags and checkpoints."""

import pytest

from tests import fuzz_weights


@pytest.mark.slow
def test_each_is_refused_or_right(tmp_path, monkeypatch):
  monkeypatch.setenv('TAKIN_CACHE_DIR', str(tmp_path / 'cache'))
  tried, wrong = 0, []
  for case in fuzz_weights.cases(tmp_path):
    found, _ = fuzz_weights.outcome(case)
    tried += 1
    if found:
      wrong.append(f'{case.kind} {case.name}: {found}')
  assert not wrong, '\n'.join(wrong)
  assert tried >= 200
