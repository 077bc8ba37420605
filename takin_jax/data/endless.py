"""Endless random samples whose position is one number.

A sample is a pure function of (seed, index): a run that resumes at an index
sees exactly what an uninterrupted one would.
"""

from collections.abc import Callable
from typing import Any

import grain
import numpy as np

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


def batches(
  samples: Samples,
  batch_size: int,
  shard: tuple[int, int] = (0, 1),
  threads: int = 2,
  prefetch: int = 32,
) -> grain.IterDataset:
  """Batches of endless samples, made ahead by threads.

  Args:
    samples: what to batch.
    batch_size: samples per batch over all processes.
    shard: (number, count) of this process among those that train.
    threads: that make samples.
    prefetch: samples that are made ahead.

  Returns:
    A dataset of dicts of arrays with a leading batch axis; its iterator has
    `get_state` and `set_state`.

  Raises:
    ValueError: for a batch size that the processes cannot share.
  """
  number, count = shard
  if batch_size % count:
    raise ValueError(
      f'data.batch_size {batch_size} is not a multiple of {count} processes.'
    )
  reading = grain.ReadOptions(
    num_threads=threads, prefetch_buffer_size=prefetch
  )
  mine = grain.MapDataset.source(samples).slice(slice(number, None, count))
  return mine.to_iter_dataset(reading).batch(batch_size // count)
