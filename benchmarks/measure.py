"""One block: baselines, times, differences -> rows of the results."""

from collections.abc import Callable, Iterator
import dataclasses
import gc
from typing import Any
import warnings

import jax
import torch
import tqdm

from benchmarks.cases import Case, Setting
from benchmarks.programs import Cost, Theirs, compiler, eager
from benchmarks.timing import Times, interleaved

EAGER, COMPILE = 'torch eager', 'torch compile'
BASELINES = (EAGER, COMPILE)
JAX = 'jax'

Note = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Plan:
  """How to measure.

  Attributes:
    runs: per side; None: as many as a time budget allows.
    baselines: of `BASELINES`.
    peaks: TFLOP/s and GB/s of the device; None: no roofline.
  """

  runs: int | None
  baselines: tuple[str, ...]
  peaks: tuple[float, float] | None


def measure(
  block: str,
  build: Callable[[Setting], Case],
  setting: Setting,
  plan: Plan,
  note: Note,
) -> Iterator[dict[str, Any]]:
  """Measures a block and frees its memory.

  Args:
    block: its name.
    build: makes both sides.
    setting: where and how it runs.
    plan: how to measure.
    note: told what happens.

  Yields:
    One row per baseline that runs.
  """
  note(f'{block}: building, compiling, measuring')
  case = build(setting)
  cost = case.ours.cost
  name, last = best_format(case.theirs)
  sides = {JAX: case.ours.run, EAGER: case.theirs.runner(eager, last)}
  outputs = {EAGER: sides[EAGER]()}
  if COMPILE in plan.baselines:
    wrap = compiler(setting.torch_device, case.theirs.trains)
    try:
      outputs[COMPILE], sides[COMPILE] = _first(case.theirs.runner(wrap, last))
    except Exception as error:  # its many parts fail in many types of error
      reason = str(error).strip().splitlines() or [type(error).__name__]
      note(f'{block}: torch.compile fails: {reason[0][:200]}')
  ours = case.ours.run()
  differences = {k: case.difference(ours, x) for k, x in outputs.items()}
  with tqdm.tqdm(desc=block, unit='run', disable=None, leave=False) as bar:
    times = interleaved(sides, plan.runs, bar.update)
  for baseline, difference in differences.items():
    yield {
      **dict(block=block, size=setting.size, dtype=setting.dtype),
      'baseline': baseline,
      **_compared(times[JAX], times[baseline]),
      'max_abs_diff': difference,
      'flop': cost.flop,
      'roofline_share': roofline_share(cost, times[JAX].median, plan.peaks),
      'memory_format': name,
      'jax_compile_s': round(case.ours.compile_s, 2),
      **case.notes,
    }
  del case, sides, times, ours, outputs
  free()


def _first(run: Callable[[], Any]) -> tuple[Any, Callable[[], Any]]:
  """Output of the first run, in which torch compiles, and the callable."""
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # about transformers' own code
    return run(), run


def best_format(theirs: Theirs) -> tuple[str, bool]:
  """The faster of both memory formats for eager PyTorch.

  Returns:
    Its name, and whether it is channels last.
  """
  if not theirs.modules:
    return 'contiguous', False
  best, part = {}, theirs.part or theirs
  for last in (False, True):
    run = part.runner(eager, last)
    best[last] = interleaved({EAGER: run}, runs=3)[EAGER].min
  last = best[True] < best[False]
  return ('channels_last' if last else 'contiguous'), last


def _compared(ours: Times, theirs: Times) -> dict[str, float]:
  return {
    'jax_ms': ours.median,
    'torch_ms': theirs.median,
    'ratio': theirs.median / ours.median,
    'min_ratio': theirs.min / ours.min,
    'cpu_ratio': theirs.cpu / ours.cpu,
    'jax_min_ms': ours.min,
    'torch_min_ms': theirs.min,
    'jax_p95_ms': ours.p95,
    'torch_p95_ms': theirs.p95,
    'runs': len(ours.wall_ms),
  }


def roofline_share(
  cost: Cost, ms: float, peaks: tuple[float, float] | None
) -> float | None:
  """Shortest time that the device's peaks allow, over the time taken.

  Args:
    cost: operations and bytes.
    ms: time taken.
    peaks: TFLOP/s and GB/s; None: not known.
  """
  if peaks is None:
    return None
  tflops, gbs = peaks
  shortest_s = max(cost.flop / (1e12 * tflops), cost.moved / (1e9 * gbs))
  return 1e3 * shortest_s / ms


def free() -> None:
  """Gives back what compiled programs and garbage hold."""
  torch._dynamo.reset()
  jax.clear_caches()
  gc.collect()
  if torch.cuda.is_available():
    torch.cuda.empty_cache()
