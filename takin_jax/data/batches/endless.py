"""Endless random samples whose position is one number.

A sample is a pure function of (seed, index): a run that resumes after a number
of batches sees exactly what an uninterrupted one would, on any number of
processes.
"""

from collections.abc import Callable, Iterator
from typing import Any

import grain
import numpy as np

from takin_jax.errors import InputError

_ENDLESS = 1 << 40

Draw = Callable[[np.random.Generator], dict[str, Any]]


class Samples:
  """Random access to endless samples.

  Args:
    draw: makes a sample from random numbers and nothing else that changes.
    seed: of everything random.
  """

  def __init__(self, draw: Draw, seed: int):
    self._draw, self._seed = draw, seed

  def __len__(self) -> int:
    return _ENDLESS

  def __getitem__(self, index: int) -> dict[str, Any]:
    return self._draw(np.random.default_rng((self._seed, index)))


class Batches:
  """An endless iterator over batches; its position is their number.

  Args:
    make: the dataset from a batch number on.
  """

  def __init__(self, make: Callable[[int], grain.IterDataset]):
    self._make = make
    self.set_state({'batches': 0})

  def __iter__(self) -> 'Batches':
    return self

  def __next__(self) -> dict[str, Any]:
    if self._iterator is None:
      self._iterator = iter(self._make(self._done))
    batch = next(self._iterator)
    self._done += 1
    return batch

  def get_state(self) -> dict[str, int]:
    """What `set_state` takes to go on from here."""
    return {'batches': self._done}

  def set_state(self, state: dict[str, int]) -> None:
    """Goes on after that many batches."""
    self._done = int(state['batches'])
    self._iterator: Iterator[dict[str, Any]] | None = None


class _Share:
  """The rows of every batch that belong to one of several processes."""

  def __init__(self, samples: Samples, batch_size: int, shard: tuple[int, int]):
    self._samples, self._batch_size = samples, batch_size
    number, count = shard
    self.rows = batch_size // count
    self._first = number * self.rows

  def __len__(self) -> int:
    return len(self._samples) // self._batch_size * self.rows

  def __getitem__(self, index: int) -> dict[str, Any]:
    batch, row = divmod(index, self.rows)
    return self._samples[batch * self._batch_size + self._first + row]


def batches(
  samples: Samples,
  batch_size: int,
  shard: tuple[int, int] = (0, 1),
  threads: int = 2,
  prefetch: int = 32,
) -> Batches:
  """Batches of endless samples, made ahead by threads.

  Args:
    samples: what to batch.
    batch_size: samples per batch over all processes.
    shard: (number, count) of this process among those that train; it makes
      its rows of each batch, the same that one process would put there.
    threads: that make samples.
    prefetch: samples that are made ahead.

  Returns:
    An iterator over dicts of arrays with a leading batch axis.

  Raises:
    InputError: for a batch size that the processes cannot share.
  """
  if batch_size < 1:
    raise InputError(f'data.batch_size is {batch_size}: take 1 or more.')
  if batch_size % shard[1]:
    raise InputError(
      f'data.batch_size {batch_size} is not a multiple of {shard[1]} processes.'
    )
  reading = grain.ReadOptions(
    num_threads=threads, prefetch_buffer_size=prefetch
  )
  share = _Share(samples, batch_size, shard)

  def make(done: int) -> grain.IterDataset:
    mine = grain.MapDataset.source(share)[done * share.rows :]
    return mine.to_iter_dataset(reading).batch(share.rows)

  return Batches(make)
