"""Seeds of any size: a motion, or one sentence."""

import pytest

from takin_jax.animation.chunks import LIVE
from takin_jax.animation.speech_step import first_state
from takin_jax.diffusion.schedule import DiffusionConfig
from takin_jax.errors import InputError


@pytest.mark.parametrize('seed', [2**63, -(2**63) - 1, 10**30])
def test_too_large(seed):
  with pytest.raises(InputError, match='2\\^63') as error:
    first_state(DiffusionConfig(), LIVE, 70, seed)
  assert error.value.argument == 'seed'


@pytest.mark.parametrize('seed', [0, -1, 2**32, 2**63 - 1, -(2**63)])
def test_the_largest(seed):
  assert first_state(DiffusionConfig(), LIVE, 70, seed).key.shape == (2,)
