"""Live video from the command line: `--stream` and `--realtime`."""

import logging
import os
import sys
import time
from typing import BinaryIO

from takin_jax.cli.job import Job
from takin_jax.data import media
from takin_jax.face import SAMPLE_RATE_HZ
from takin_jax.infer.player import Arrivals, Player, Report, paced
from takin_jax.infer.session import live_chunks


def speak(job: Job) -> Report:
  """Makes a live video; `stream` or `realtime` is set.

  Raises:
    InputError: in one sentence what is wrong.
  """
  args, start_s = job.args, time.monotonic()
  live_chunks(**job.live())
  pipe = job.load()
  session = pipe.session(job.portrait, **job.speaking(pipe), **job.live())
  session.warm_up()
  if args.verbose:
    logging.getLogger(__name__).warning(
      f'ready after {time.monotonic() - start_s:.2f} s'
    )
  with media.open_live(args.output, SAMPLE_RATE_HZ) as writer:
    blocks = (
      media.listen(_standard_input()) if args.stream else paced(job.speech)
    )
    return Player(session, writer, args.realtime).play(Arrivals(blocks))


def _standard_input() -> BinaryIO:
  """A reader of our own: Python cannot exit while a thread waits in its."""
  return os.fdopen(os.dup(sys.stdin.fileno()), 'rb')
