import numpy as np
import pytest

from takin_jax.data.batches import endless
from takin_jax.train.feed import Feed


def batches():
  samples = endless.Samples(lambda rng: {'x': rng.normal()}, seed=0)
  return endless.batches(samples, 2)


def test_position_is_that_of_the_batches_given():
  feed, plain = Feed(batches(), lambda batch: batch), batches()
  assert feed.get_state() == {'batches': 0}
  for done in range(1, 6):
    np.testing.assert_array_equal(next(feed)['x'], next(plain)['x'])
    assert feed.get_state() == {'batches': done}
  feed.close()
  assert not feed._thread.is_alive()


def test_an_error_of_the_thread_is_raised_where_the_batch_is_wanted():
  def put(batch):
    raise OSError('a record is gone')

  feed = Feed(batches(), put)
  with pytest.raises(OSError, match='a record is gone'):
    next(feed)
  feed.close()
