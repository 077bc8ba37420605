import json

import numpy as np
import pytest

from takin_jax.data.batches import endless


def draw(rng):
  return {'x': rng.normal(size=3)}


def test_processes_share_the_batch_that_one_would_make():
  samples = endless.Samples(draw, seed=1)
  whole = endless.batches(samples, 6)
  parts = [endless.batches(samples, 6, (i, 3)) for i in range(3)]
  for _ in range(3):
    shares = [next(part)['x'] for part in parts]
    np.testing.assert_array_equal(np.concatenate(shares), next(whole)['x'])


def test_position_holds_for_any_number_of_processes():
  samples = endless.Samples(draw, seed=1)
  batches = endless.batches(samples, 4)
  for _ in range(3):
    next(batches)
  position = json.loads(json.dumps(batches.get_state()))
  wanted = next(batches)['x']
  parts = [endless.batches(samples, 4, (i, 2)) for i in range(2)]
  for part in parts:
    part.set_state(position)
  shares = [next(part)['x'] for part in parts]
  np.testing.assert_array_equal(np.concatenate(shares), wanted)


def test_a_batch_that_cannot_be_shared():
  with pytest.raises(ValueError, match='batch_size 5 is not a multiple of 2'):
    endless.batches(endless.Samples(draw, 0), 5, (0, 2))
