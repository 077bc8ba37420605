"""Batches of speech with teacher features, for training the speech encoder.

In: records of `takin_jax.data.speech.distill`. Out: batches of windows, NumPy.
"""

from collections.abc import Mapping
import dataclasses
from typing import Any

import numpy as np

from takin_jax.config import build
from takin_jax.data.batches import endless
from takin_jax.data.speech import recordings


@dataclasses.dataclass(frozen=True)
class SpeechConfig:
  """The config block `data` of the speech stage.

  Attributes:
    records: folder of training records.
    eval_records: folder of records of other people; '': no evaluation.
    batch_size: windows per batch over all devices.
    frames: length of a window in 50 Hz frames.
    augment: changes to the sound in training.
    threads: that read.
    prefetch: windows that are made ahead.
  """

  records: str
  eval_records: str = ''
  batch_size: int = 16
  frames: int = 250
  augment: recordings.Augment | None = recordings.Augment()
  threads: int = 2
  prefetch: int = 64


class WindowSource(endless.Samples):
  """Endless random windows; the one with a given index is always the same.

  Args:
    cfg: where from and how.
    seed: of everything random.
  """

  def __init__(self, cfg: SpeechConfig, seed: int):
    super().__init__(self._draw_window, seed)
    self._cfg, self._records = cfg, recordings.SpeechRecords(cfg.records)

  def _draw_window(self, rng: np.random.Generator) -> dict[str, Any]:
    record, other = (
      self._records[int(i)] for i in rng.integers(len(self._records), size=2)
    )
    cfg = self._cfg
    return recordings.window(
      record, rng, cfg.frames, cfg.augment, other['audio']
    )


def batches(
  data: Mapping[str, Any], seed: int, shard: tuple[int, int] = (0, 1)
) -> endless.Batches:
  """Batches of random windows.

  Args:
    data: the config block `data`, see `SpeechConfig`.
    seed: of everything random.
    shard: (number, count) of this process among those that train.

  Returns:
    An iterator over dicts of arrays with a leading batch axis, see
    `takin_jax.data.speech.window`.
  """
  cfg = build(SpeechConfig, data)
  return endless.batches(
    WindowSource(cfg, seed), cfg.batch_size, shard, cfg.threads, cfg.prefetch
  )


def eval_windows(data: Mapping[str, Any], count: int) -> dict[str, np.ndarray]:
  """The first clean window of `count` records spread over `eval_records`.

  Args:
    data: the config block `data`.
    count: how many windows, or as many as there are.

  Returns:
    Stacked windows; features are normalised as in training.
  """
  cfg = build(SpeechConfig, data)
  folder = recordings.SpeechRecords(
    cfg.eval_records, f'{cfg.records}/{recordings.STATS_FILE}'
  )
  chosen = np.linspace(0, len(folder) - 1, min(count, len(folder))).astype(int)
  rng = np.random.default_rng(0)
  windows = [recordings.window(folder[int(i)], rng, cfg.frames) for i in chosen]
  return {k: np.stack([w[k] for w in windows]) for k in windows[0]}
