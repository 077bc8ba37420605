"""The fuzzer's groups, as slow tests."""

import pytest

from tests import fuzz


@pytest.mark.slow
@pytest.mark.parametrize('group', fuzz.GROUPS, ids=lambda g: g.__name__)
def test_bad_input_ends_in_a_sentence(group):
  found = fuzz.run(group)
  wrong = {k: v for k, v in found.items() if v not in ('made', fuzz.REFUSED)}
  assert not wrong
  assert len(found) > 40
