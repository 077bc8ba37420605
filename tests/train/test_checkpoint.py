"""Checkpoints hold what was saved or are skipped; folders are not shared."""

import json
import os
from pathlib import Path
import shutil
import subprocess
import sys

import jax
import numpy as np
import pytest

from takin_jax.train import checkpoint, checksums, loop, workdir
from tests.train.test_loop import assert_equal


@pytest.fixture
def run(config, tmp_path):
  """A folder with the checkpoints 2 and 4."""
  loop.run(config, tmp_path / 'run')
  return tmp_path / 'run'


def files_of(run, step) -> list[Path]:
  folder = run / checkpoint.FOLDER / str(step)
  return sorted(path for path in folder.rglob('*') if path.is_file())


def ema(run):
  """The averaged parameters of the newest intact checkpoint."""
  checkpoints = checkpoint.Checkpoints(run)
  try:
    return checkpoints.ema()
  finally:
    checkpoints.close()


def flip(path, bit):
  data = bytearray(path.read_bytes())
  data[bit // 8] ^= 1 << (bit % 8)
  path.write_bytes(data)


def test_a_flipped_bit_is_found_wherever_it_is(run, tmp_path, caplog):
  shutil.rmtree(run / checkpoint.FOLDER / '4')
  shutil.copytree(run / checkpoint.FOLDER / '2', run / checkpoint.FOLDER / '3')
  older = ema(run)
  rng = np.random.default_rng(0)
  for path in files_of(run, 3):
    if not path.stat().st_size:
      continue
    bit = int(rng.integers(8 * path.stat().st_size))
    flip(path, bit)
    caplog.clear()
    assert_equal(ema(run), older)
    assert 'Skipping the damaged checkpoint 3' in caplog.text, path
    flip(path, bit)
  caplog.clear()
  ema(run)
  assert 'Skipping' not in caplog.text


def test_a_resumed_run_skips_a_flipped_bit(run, config, caplog):
  straight = loop.run(config, run)
  largest = max(files_of(run, 4), key=lambda path: path.stat().st_size)
  flip(largest, 100)
  assert_equal(loop.run(config, run), straight)
  assert 'Skipping the damaged checkpoint 4' in caplog.text
  assert 'is not what was saved' in caplog.text


def test_a_missing_file_is_found(run):
  for path in files_of(run, 4):
    if path.name != checksums.FILE:
      data = path.read_bytes()
      path.unlink()
      with pytest.raises(checksums.ChecksumError, match=path.name):
        checksums.verify(run / checkpoint.FOLDER / '4')
      path.write_bytes(data)
  checksums.verify(run / checkpoint.FOLDER / '4')


def test_checksums_are_those_of_sha256sum(run):
  folder = run / checkpoint.FOLDER / '4'
  if not shutil.which('sha256sum'):
    pytest.skip('there is no program sha256sum')
  subprocess.run(
    ['sha256sum', '--quiet', '-c', checksums.FILE], cwd=folder, check=True
  )


def test_a_checkpoint_without_checksums_is_read(run):
  expected = ema(run)
  (run / checkpoint.FOLDER / '4' / checksums.FILE).unlink()
  assert_equal(ema(run), expected)


@pytest.mark.parametrize('name', ['every', 'keep'])
@pytest.mark.parametrize('value', [0, -1])
def test_numbers_that_would_lose_checkpoints(run, config, name, value):
  config.checkpoint[name] = value
  with pytest.raises(ValueError, match=f'checkpoint.{name} is {value}'):
    loop.run(config, run)
  assert files_of(run, 4)


def test_a_second_run_in_the_folder_is_refused(tmp_path, config):
  with (
    workdir.occupy(tmp_path),
    pytest.raises(checkpoint.WorkdirError, match='Another run .*folder'),
  ):
    loop.run(config, tmp_path)
  assert not (tmp_path / 'config.json').exists()
  loop.run(config, tmp_path)


def test_a_killed_run_leaves_no_lock(tmp_path, config):
  code = (
    'import os, pathlib, sys\n'
    'from takin_jax.train import workdir\n'
    'with workdir.occupy(pathlib.Path(sys.argv[1])):\n'
    '  os.kill(os.getpid(), 9)\n'
  )
  command = [sys.executable, '-c', code, str(tmp_path)]
  root = Path(checkpoint.__file__).parents[2]
  assert subprocess.run(command, cwd=root).returncode == -9
  loop.run(config, tmp_path)


def test_a_folder_that_is_a_file(tmp_path, config):
  (tmp_path / 'file').write_text('x')
  with pytest.raises(checkpoint.WorkdirError, match='file cannot be'):
    loop.run(config, tmp_path / 'file')
  assert (tmp_path / 'file').read_text() == 'x'


@pytest.mark.parametrize('text', ['', '{broken', '[1]', '5', '\ud800'])
def test_a_damaged_config(run, config, text):
  (run / 'config.json').write_bytes(text.encode('utf-8', 'surrogatepass'))
  with pytest.raises(checkpoint.WorkdirError, match='config.json is damaged'):
    loop.run(config, run)


def test_odd_lines_of_metrics_are_dropped(run, config):
  path = run / 'metrics.jsonl'
  path.write_bytes(b'[1]\n{"a": 1}\n5\n\xff\n' + path.read_bytes())
  config.train.steps = 5
  loop.run(config, run)
  steps = [json.loads(line)['step'] for line in path.read_text().splitlines()]
  assert steps == [1, 2, 2, 3, 4, 4, 5, 5]


@pytest.mark.parametrize(
  'kilobytes', [2, pytest.param(10, marks=pytest.mark.slow)]
)
def test_a_full_disk_is_one_sentence(tmp_path, kilobytes):
  code = (
    'import sys\n'
    'from takin_jax.train import checkpoint, loop\n'
    'from tests.train.toy_task import toy_config\n'
    'try:\n'
    '  loop.run(toy_config(steps=400, log_every=2), sys.argv[1])\n'
    'except checkpoint.WorkdirError as error:\n'
    '  sys.exit(f"SAYS {error}")\n'
  )
  process = subprocess.run(
    [
      *('bash', '-c', f'ulimit -f {kilobytes}; exec "$@"', '-'),
      *(sys.executable, '-c', code, str(tmp_path / 'run')),
    ],
    cwd=Path(checkpoint.__file__).parents[2],
    env={**os.environ, 'JAX_PLATFORMS': 'cpu'},
    capture_output=True,
    text=True,
  )
  said = process.stderr.partition('SAYS ')[2].splitlines()[0]
  assert 'cannot be written' in said and '(File too large)' in said
  assert 'make room' in said
  assert 'Traceback' not in process.stderr
  lines = process.stderr.replace('\r', '\n').splitlines()
  assert sum(bool(s.strip()) and 'step/s' not in s[:300] for s in lines) <= 1


def test_a_failed_save_keeps_the_older_checkpoint(run, config, monkeypatch):
  def full(*args, **kwargs):
    raise OSError(28, 'No space left on device')

  before = ema(run)
  monkeypatch.setattr(checksums, 'write', full)
  config.train.steps = 6
  with pytest.raises(checkpoint.WorkdirError, match='Checkpoint 6.*No space'):
    loop.run(config, run)
  monkeypatch.undo()
  state = loop.run(config, run)
  assert int(state.step) == 6
  assert jax.tree.all(
    jax.tree.map(lambda a, b: a.shape == b.shape, before, ema(run))
  )
