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
from takin_jax.animation.chunks import ChunkConfig
from takin_jax.cli.job import Job
from takin_jax.data import media
from takin_jax.face import FRAME_RATE_HZ
from takin_jax.infer.engine import Engine
from takin_jax.infer.inputs.portrait import read_portrait
from takin_jax.infer.pipeline import Pipeline
from takin_jax.infer.player import Player, Report
from takin_jax.infer.session import Session, live_chunks, programs_of

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


def measure(job: Job) -> Measurements:
  """Measures a job's model as a live stream uses it.

  Args:
    job: weights, portrait, speech and live options.

  Raises:
    InputError: in one sentence what is wrong.
  """
  args, chunks = job.args, live_chunks(**job.live())
  speech = media.read_audio(job.speech)
  pipe = job.load()
  session = pipe.session(job.portrait, **job.speaking(pipe), **job.live())
  session.warm_up()
  lines = [
    ('device', f'{pipe.engine.device.device_kind}, jax {jax.__version__}'),
    ('model', f'{pipe.config.name}, {pipe.engine.size_px} px in, {args.dtype}'),
    ('start, cold / from stored programs', _start(pipe, chunks)),
    *_stages(pipe, job, chunks, speech),
    *_stream(session, speech, chunks),
    ('peak memory of the process', f'{_peak_mib():.0f} MiB'),
    ('device memory', _device_memory(pipe.engine.device)),
  ]
  return Measurements(lines)


def _start(pipe: Pipeline, chunks: ChunkConfig) -> str:
  """Seconds until all programs of a session are ready."""
  with tempfile.TemporaryDirectory() as empty:
    store = pathlib.Path(empty)

    def compile_all() -> None:
      engine = Engine(pipe.config, pipe.params, pipe.engine.device, store)
      engine.compile(*programs_of(chunks))

    cold_s, warm_s = (_timed(compile_all)[0] for _ in range(2))
  return f'{cold_s:.2f} / {warm_s:.2f} s'


def _stages(
  pipe: Pipeline, job: Job, chunks: ChunkConfig, speech: np.ndarray
) -> list[tuple[str, str]]:
  """Times of every stage, each with its result on the host or ready."""
  engine = pipe.engine
  picture = read_portrait(job.portrait, job.args.crop).crop(engine.size_px)
  source = jax.block_until_ready(engine.encode_source(picture))
  state = engine.first_state(chunks, job.args.seed)
  sound = np.resize(speech, chunks.sound_samples)
  controls = pipe.controls.as_arrays(engine.exp_dim)
  given = (chunks, state, sound, source, controls)
  _, motions = engine.generate_motion(*given)
  stages = {
    'portrait': lambda: engine.encode_source(picture),
    f'speech to motion, {chunks.chunk} frames': lambda: engine.generate_motion(
      *given
    ),
    'frame': lambda: np.asarray(engine.render(source, motions)),
  }
  return [(name, _percentiles(call)) for name, call in stages.items()]


def _stream(
  session: Session, speech: np.ndarray, chunks: ChunkConfig
) -> list[tuple[str, str]]:
  """Sound to encoded frames, as fast as it goes."""
  report, work_s = _whole(session, speech, chunks.step_samples)
  delays = 1000 * np.percentile(report.delays_s, (50, 95))
  waiting_ms = 1000 * (chunks.chunk + chunks.look_ahead) / FRAME_RATE_HZ
  return [
    ('sound to encoded frames', f'{report.frames / work_s:.1f} FPS'),
    ('real-time factor', f'{work_s * FRAME_RATE_HZ / report.frames:.3f}'),
    (
      'last needed sample to frame',
      f'p50 {delays[0]:.0f}, p95 {delays[1]:.0f} ms '
      f'(chunk and look-ahead: {waiting_ms:.0f} ms)',
    ),
  ]


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
) -> tuple[Report, float]:
  """Sound to encoded video as fast as it goes: how it went, and seconds."""
  blocks = (
    (speech[i : i + step], time.monotonic())
    for i in range(0, len(speech), step)
  )
  with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, 'live.ts')
    with media.open_live(path, face.SAMPLE_RATE_HZ) as writer:
      seconds, report = _timed(
        lambda: Player(session, writer, False).play(blocks)
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
