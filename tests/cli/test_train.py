"""The command line of training: bad input, signals, going on."""

import os
from pathlib import Path
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from takin_jax.train import init_from

ROOT = Path(__file__).parents[2]
TOY = """
from tests.train.toy_task import toy_config
def get_config():
  return toy_config(steps=100000, log_every=5)
"""


def command(*arguments):
  return [sys.executable, 'train.py', *map(str, arguments)]


def run(*arguments):
  return subprocess.run(
    command(*arguments), cwd=ROOT, capture_output=True, text=True
  )


@pytest.fixture
def toy(tmp_path, monkeypatch):
  monkeypatch.setenv('PYTHONPATH', str(ROOT))
  monkeypatch.setenv('JAX_PLATFORMS', 'cpu')
  path = tmp_path / 'toy.py'
  path.write_text(TOY)
  return path


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (['--config=missing.py', '--workdir=x'], "no config file 'missing.py'"),
    (['--config=configs/smoke.py:nose', '--workdir=x'], "No stage 'nose'"),
    (
      ['--config=configs/smoke.py', '--workdir=x', '--config.optim.lrr=1'],
      "no value 'optim.lrr'; the nearest is 'optim.lr'",
    ),
    (  # a setting of other configs
      ['--config=configs/smoke.py', '--workdir=x', '--config.eval.videos=1'],
      "no value 'eval.videos'; the nearest is 'eval.",
    ),
    (
      ['--config=configs/smoke.py', '--workdir=x', '--config.optim.lr=fast'],
      'optim.lr=fast: could not convert',
    ),
  ],
)
def test_bad_input_is_one_sentence(arguments, message):
  result = run(*arguments)
  assert result.returncode == 2
  assert message in result.stderr
  assert 'Traceback' not in result.stderr
  assert len(result.stderr.strip().splitlines()) == 1
  assert not (ROOT / 'x').exists()


def test_a_signal_saves_and_tells_how_to_go_on(toy, tmp_path):
  workdir = tmp_path / 'run'
  options = [f'--config={toy}', f'--workdir={workdir}']
  process = subprocess.Popen(
    command(*options),
    cwd=ROOT,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    env=os.environ | {'PYTHONUNBUFFERED': '1'},
  )
  log = workdir / 'metrics.jsonl'
  for _ in range(1200):
    if log.exists() and log.read_text():
      break
    time.sleep(0.05)
  process.send_signal(signal.SIGTERM)
  out, err = process.communicate(timeout=60)
  assert process.returncode == 0, err
  told = out.strip().splitlines()[-1]
  assert f'Resume: python train.py {" ".join(options)}' in told
  step = int(told.split()[3].rstrip('.'))
  assert (workdir / 'checkpoints' / str(step)).is_dir()
  assert np.isfinite(init_from.load_groups(str(workdir))['head']['bias']).all()
