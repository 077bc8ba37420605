"""Makes a portrait talk: python infer.py -s PORTRAIT -a SPEECH -o VIDEO.

Without arguments: a default portrait says a default sentence in talking.mp4.
"""

import argparse
from collections.abc import Sequence
import logging
import os
import sys
import time

import tqdm

from takin_jax.cli.errors import command
from takin_jax.cli.options import (
  OPTIONS,
  add_options,
  check_wishes,
  with_crops_joined,
)
from takin_jax.cli.paths import check_paths


class _Parser(argparse.ArgumentParser):
  """Says in one sentence what is wrong with the arguments."""

  def error(self, message: str):
    self.exit(2, f'{self.prog}: {message}; see --help.\n')


def main(
  argv: Sequence[str] | None = None,
  prog: str = 'infer.py',
  more: str | None = None,
) -> int:
  """Command line; returns the exit code.

  Args:
    argv: arguments; None: the process's own.
    prog: the command's name, for messages.
    more: what the help says at its end.
  """
  parser = _Parser(
    prog=prog,
    description='Makes a portrait talk, or move like a video.',
    epilog=more,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  add_options(parser)
  argv = sys.argv[1:] if argv is None else argv
  args = parser.parse_args(with_crops_joined(argv))
  # XLA writes blocks of asterisks about compilations that take long.
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  if args.device == 'cpu':
    os.environ.setdefault('JAX_PLATFORMS', 'cpu')
  _show_notes()
  said = 'interrupted, nothing was written.'
  return command(prog, options=OPTIONS, interrupted=said)(_run)(args)


def _run(args: argparse.Namespace) -> int:
  check_wishes(args)
  check_paths(args)
  # Only now: --help and wrong arguments need not wait for JAX.
  from takin_jax.cli import benchmark, live
  from takin_jax.cli.job import Job

  job = Job(args)
  if args.benchmark:
    print(benchmark.measure(job))
  elif args.stream or args.realtime:
    # The standard output may be the video.
    print(live.speak(job), file=sys.stderr)
  else:
    print(_animate(job))
  return 0


def _animate(job) -> str:
  """Makes a video file, and says how fast."""
  from takin_jax.face import FRAME_RATE_HZ

  args, start_s = job.args, time.perf_counter()
  pipe = job.load()
  if args.driving is None:
    clip = pipe.speak(job.portrait, job.speech, **job.speaking(pipe))
  else:
    clip = pipe.drive(
      job.portrait,
      args.driving,
      controls=job.controls(),
      crop=args.crop,
      driving_crop=args.driving_crop,
    )
  ready_s, frames = start_s, 0
  with tqdm.tqdm(unit='frame', disable=None, leave=False) as bar:

    def progress(made: int, of: int | None) -> None:
      nonlocal ready_s, frames
      if not made:
        ready_s = time.perf_counter()
        if args.verbose:
          logging.getLogger(__name__).warning(
            f'ready after {ready_s - start_s:.2f} s'
          )
        bar.reset(of)
      frames = made
      bar.update(made - bar.n)

    path = clip.save(args.output, progress)
  work_s, length_s = time.perf_counter() - ready_s, frames / FRAME_RATE_HZ
  size = pipe.engine.size_px
  return (
    f'{path}: {frames} frames, {length_s:.1f} s at {size}x{size}, made in '
    f'{work_s:.1f} s after {ready_s - start_s:.1f} s of start-up: '
    f'{frames / work_s:.0f} FPS, real-time factor {work_s / length_s:.2f}'
  )


def _show_notes() -> None:
  """What the library tells goes to the standard error, as it is."""
  notes = logging.getLogger('takin_jax')
  notes.propagate = False
  for handler in [*notes.handlers]:  # of an earlier call, with its own stderr
    notes.removeHandler(handler)
  notes.addHandler(logging.StreamHandler())
  notes.setLevel(logging.INFO)
