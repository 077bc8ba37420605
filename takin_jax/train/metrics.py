"""Metrics of a run: JSON lines, TensorBoard events, and the NaN guard."""

from collections.abc import Mapping
import json
import math
import pathlib
import time
from typing import Any

import jax
import numpy as np
from tensorboardX import event_file_writer, summary
from tensorboardX.proto import event_pb2

from takin_jax.errors import InputError
from takin_jax.train import distributed


class DivergedError(InputError):
  """Loss, gradients or parameters are no longer finite."""


class MetricWriter:
  """Appends metrics to `metrics.jsonl` and to TensorBoard event files.

  Of several processes only the primary writes.

  Args:
    workdir: folder of the run.
    step: where the run goes on; what a killed run wrote later is dropped.
  """

  def __init__(self, workdir: pathlib.Path, step: int):
    self._primary = distributed.is_primary()
    if not self._primary:
      return
    path = workdir / 'metrics.jsonl'
    text = path.read_text(errors='replace') if path.exists() else ''
    lines = text.splitlines(True)
    kept = [line for line in lines if _step_of(line) <= step]
    if kept != lines:
      temporary = path.with_suffix('.tmp')
      temporary.write_text(''.join(kept))
      temporary.replace(path)
    self._file = path.open('a', buffering=1)
    folder = workdir / 'events'
    folder.mkdir(exist_ok=True)
    # Not its SummaryWriter, whose thread would keep a full disk to itself.
    self._events = event_file_writer.EventsWriter(str(folder / 'events'))
    start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
    self._add_event(step + 1, session_log=start)

  def write(self, step: int, metrics: Mapping[str, float]) -> None:
    """Writes one line: step, then the metrics by name."""
    if not self._primary:
      return
    values = {name: float(f'{v:.6g}') for name, v in metrics.items()}
    self._file.write(json.dumps({'step': step, **values}) + '\n')
    for name, value in values.items():
      self._add_event(step, summary=summary.scalar(name, value))
    self._events.flush()

  def close(self) -> None:
    """Flushes both."""
    if not self._primary:
      return
    self._file.close()
    self._events.close()

  def _add_event(self, step: int, **event: Any) -> None:
    self._events.write_event(
      event_pb2.Event(wall_time=time.time(), step=step, **event)
    )


def _step_of(line: str) -> float:
  try:
    return float(json.loads(line)['step'])
  except (ValueError, TypeError, KeyError):  # cut off by a kill
    return math.inf


class Monitor:
  """Reads the metrics of a step after the next one has been dispatched.

  The device is kept busy, and the host runs at most one step ahead.
  """

  def __init__(self):
    self._pending = None
    self._reset()

  def _reset(self) -> None:
    self._read: list[Mapping[str, np.ndarray]] = []
    self._waited_s = self._took_s = 0.0

  def add(
    self, step: int, metrics: Any, since_s: float, waited_s: float
  ) -> None:
    """Takes the metrics of a dispatched step, reads those of the last one.

    Args:
      step: number of the step, from 1.
      metrics: arrays on the device.
      since_s: `time.monotonic()` before the loop asked for the batch.
      waited_s: how long it waited for the batch.

    Raises:
      DivergedError: if the last step's loss, gradients or new parameters are
        not finite.
    """
    pending, self._pending = self._pending, (step, metrics)
    if pending:
      self._check(*pending)
    self._waited_s += waited_s
    self._took_s += time.monotonic() - since_s

  def flush(self) -> None:
    """Reads what has not been read."""
    if self._pending:
      since_s = time.monotonic()
      self._check(*self._pending)
      self._pending = None
      self._took_s += time.monotonic() - since_s

  def averages(self) -> dict[str, float]:
    """Means since the last call, with speed and share of data waiting."""
    means = {k: np.mean([m[k] for m in self._read]) for k in self._read[0]}
    means['steps_per_s'] = len(self._read) / self._took_s
    means['data_wait_share'] = self._waited_s / self._took_s
    self._reset()
    return means

  def _check(self, step: int, metrics: Any) -> None:
    values = jax.device_get(metrics)
    for name in ('loss', 'grad_norm', 'param_norm'):
      if not math.isfinite(values[name]):
        raise DivergedError(
          f'{name} is {values[name]} at step {step}; the last good '
          'checkpoint is kept. Try a lower optim.lr or optim.clip_norm.'
        )
    self._read.append(values)
