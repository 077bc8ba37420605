"""kill -9 at any moment: the next start goes on, and nothing is lost."""

import json
from pathlib import Path
import random
import time

import numpy as np
import pytest

from tests.train.test_scale import result, start

EVERY = 5


def reached(workdir: Path) -> int:
  """The last step in the log."""
  path = workdir / 'metrics.jsonl'
  lines = path.read_text().splitlines() if path.exists() else []
  steps = [json.loads(line)['step'] for line in lines if line.endswith('}')]
  return max(steps, default=0)


def kill_again_and_again(workdir, kills, seed, steps):
  rng = random.Random(seed)
  overrides = {
    'train.steps': steps,
    'checkpoint.every': EVERY,
    'data.delay_s': 0.005,
    'eval.every': 0,
  }
  for _ in range(kills):
    before = reached(workdir)
    process = start('toy', workdir, json.dumps(overrides))
    wanted = before + rng.randint(0, 2 * EVERY)
    while reached(workdir) < wanted and process.poll() is None:
      time.sleep(0.01)
    time.sleep(rng.uniform(0, 0.3))
    assert process.poll() is None, process.communicate()[1]
    process.kill()
    process.communicate()
    saved = [
      int(p.name)
      for p in (workdir / 'checkpoints').glob('[0-9]*')
      if p.name.isdigit()
    ]
    assert max(saved, default=0) >= reached(workdir) - EVERY
  return result(start('toy', workdir, json.dumps(overrides)))


def check(tmp_path, kills, seed, steps):
  killed = kill_again_and_again(tmp_path / 'killed', kills, seed, steps)
  plain = {'train.steps': steps, 'checkpoint.every': 1000, 'eval.every': 0}
  straight = result(start('toy', tmp_path / 'straight', json.dumps(plain)))
  np.testing.assert_array_equal(killed['kernel'], straight['kernel'])


def test_three_kills(tmp_path):
  check(tmp_path, 3, seed=0, steps=60)


@pytest.mark.slow
def test_twenty_kills(tmp_path):
  check(tmp_path, 20, seed=1, steps=400)
