"""How fast this model runs here: start-up, every stage, sound to frame.

Numbers are of the loaded weights on real speech; clocks stop after
`block_until_ready` or with the frame on the host.
"""

from collections.abc import Callable
import dataclasses
import os
import pathlib
import resource
import sys
import tempfile
import time
from typing import Any

import jax
import numpy as np

from takin_jax import face
from takin_jax.data import media
from takin_jax.face import FRAME_RATE_HZ
from takin_jax.infer import live
from takin_jax.infer.animate import Job, Note, open_model
from takin_jax.infer.session import Session

_CALLS = 50
_PERCENTILES = (50, 95, 99)


@dataclasses.dataclass(frozen=True)
class Measurements:
  """What was measured.

  Attributes:
    lines: `(what, value)` to print.
  """

  lines: list[tuple[str, str]]

  def __str__(self) -> str:
    width = max(len(name) for name, _ in self.lines)
    return '\n'.join(f'{name:<{width}}  {value}' for name, value in self.lines)


def measure(job: Job, note: Note) -> Measurements:
  """Measures a job's model as a live stream uses it.

  Args:
    job: weights, portrait, speech and live options.
    note: called with what the user should know meanwhile.

  Raises:
    InputError, MediaError, WeightsError: in one sentence what is wrong.
  """
  plan = live.live_plan(job)
  speech = media.read_audio(job.speech)
  model = open_model(job, note)
  with tempfile.TemporaryDirectory() as empty:
    fresh = dataclasses.replace(model, store=pathlib.Path(empty))
    cold_s, _ = _timed(lambda: fresh.compile(plan=plan))
    warm_s, engine = _timed(lambda: fresh.compile(plan=plan))
  image = model.portrait(engine.size_px)
  source = jax.block_until_ready(engine.source(image))
  wish, state = model.wish(), engine.first_state(job.seed)
  sound = np.resize(speech, plan.sound_samples)
  now = wish(0.0, sound) if callable(wish) else wish
  now = now.as_arrays(3 * source.kp.shape[-2])
  _, motions = engine.speech(state, sound, source, now)
  stages = {
    'portrait': lambda: engine.source(image),
    f'speech to motion, {plan.chunk} frames': lambda: engine.speech(
      state, sound, source, now
    ),
    'frame': lambda: np.asarray(engine.frames(source, motions, 0)),
  }
  lines = [
    ('device', f'{model.device.device_kind}, jax {jax.__version__}'),
    ('model', f'{model.config.name}, {engine.size_px} px in, {job.dtype}'),
    ('start, cold / from stored programs', f'{cold_s:.2f} / {warm_s:.2f} s'),
  ]
  lines += [(name, _percentiles(call)) for name, call in stages.items()]
  session = Session(engine, source, wish, job.seed)
  live.warm_up(session)
  report, work_s = _whole(session, speech, plan.step_samples)
  delays = 1000 * np.percentile(report.delays_s, (50, 95))
  waiting_ms = 1000 * (plan.chunk + plan.look_ahead) / FRAME_RATE_HZ
  lines += [
    ('sound to encoded frames', f'{report.frames / work_s:.1f} FPS'),
    ('real-time factor', f'{work_s * FRAME_RATE_HZ / report.frames:.3f}'),
    (
      'last needed sample to frame',
      f'p50 {delays[0]:.0f}, p95 {delays[1]:.0f} ms '
      f'(chunk and look-ahead: {waiting_ms:.0f} ms)',
    ),
    ('peak memory of the process', f'{_peak_mib():.0f} MiB'),
    ('device memory', _device_memory(model.device)),
  ]
  return Measurements(lines)


def _timed(call: Callable[[], Any]) -> tuple[float, Any]:
  start = time.perf_counter()
  result = call()
  return time.perf_counter() - start, result


def _percentiles(call: Callable[[], Any]) -> str:
  """p50, p95 and p99 of some calls."""
  jax.block_until_ready(call())
  times = [
    1000 * _timed(lambda: jax.block_until_ready(call()))[0]
    for _ in range(_CALLS)
  ]
  values = np.percentile(times, _PERCENTILES)
  parts = zip(_PERCENTILES, values, strict=True)
  return ', '.join(f'p{p} {value:.1f}' for p, value in parts) + ' ms'


def _whole(
  session: Session, speech: np.ndarray, step: int
) -> tuple[live.Report, float]:
  """Sound to encoded video as fast as it goes: how it went, and seconds."""
  blocks = (
    (speech[i : i + step], time.monotonic())
    for i in range(0, len(speech), step)
  )
  with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, 'live.ts')
    with media.open_live(path, face.SAMPLE_RATE_HZ) as writer:
      seconds, report = _timed(
        lambda: live.Player(session, writer, False).play(blocks)
      )
  return report, seconds


def _peak_mib() -> float:
  """Largest memory of this process so far."""
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  return peak / 2**20 if sys.platform == 'darwin' else peak / 2**10


def _device_memory(device: jax.Device) -> str:
  stats = device.memory_stats()
  if not stats or 'peak_bytes_in_use' not in stats:
    return "the process's"
  return f'{stats["peak_bytes_in_use"] / 2**20:.0f} MiB at most'
