"""The command: results file, floors, mistakes."""

import importlib.util
import json
import math
import subprocess
import sys

import pytest

from benchmarks import command, report
from takin_jax.errors import InputError

pytestmark = pytest.mark.torch


@pytest.fixture(scope='module')
def quick(tmp_path_factory):
  """Exit code, results and output of a quick run of one block."""
  pytest.importorskip('torch')
  pytest.importorskip('transformers')
  out = tmp_path_factory.mktemp('results') / 'nano.json'
  args = ('--quick', '--runs', '1', '--device', 'cpu', '--only', 'F')
  roof = ('--peak-tflops', '1', '--peak-gbs', '100')
  floor = ('--floor', 'F=1e-6', '--json', str(out))
  done = subprocess.run(
    [sys.executable, 'benchmarks/compare.py', *args, *roof, *floor],
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  return json.loads(out.read_text()), done.stdout, str(out)


def test_results_have_the_schema(quick):
  results, _, path = quick
  assert {'device', 'versions', 'commit', 'rows', 'threads'} <= set(results)
  (row,) = results['rows']
  assert set(report.ROW_KEYS) <= set(row)
  assert (row['block'], row['size'], row['dtype']) == ('F', 'nano', 'float32')
  assert row['baseline'] == 'torch eager'
  assert math.isclose(row['ratio'], row['torch_ms'] / row['jax_ms'])
  assert 0 < row['max_abs_diff'] < 1e-4
  assert row['flop'] > 1e8 and row['roofline_share'] > 0
  assert row['memory_format'] in ('contiguous', 'channels_last')
  assert report.load(path) == results


def test_output_tells_what_ran(quick):
  results, output, _ = quick
  assert results['device'] in output and 'threads: jax' in output
  assert any(line.startswith('F ') for line in output.splitlines())


def row(baseline, ratio, min_ratio):
  return dict(block='F', baseline=baseline, ratio=ratio, min_ratio=min_ratio)


def test_floors(capsys):
  rows = [row('torch eager', 1.4, 1.6), row('torch compile', 1.0, 0.9)]
  blocks = ['F']
  good = command._floors(['F=1.5', 'F:compile=0.95'], blocks, False)
  assert command._check_floors(rows, good) == 0
  bad = command._floors(['F=1.7', 'F:compile=1.1'], blocks, False)
  assert command._check_floors(rows, bad) == 1
  error = capsys.readouterr().err
  assert 'F against torch eager: ratio 1.60 is under' in error
  assert 'F against torch compile: ratio 1.00 is under' in error
  # A block that was not measured does not pass.
  assert command._check_floors([], good) == 1


@pytest.mark.parametrize(
  ('args', 'message'),
  [
    (('--only', 'F,X'), "Unknown block 'X'"),
    (('--floor', 'F'), 'not of the form'),
    (('--floor', 'F=-1'), 'not of the form'),
    (('--only', 'G', '--floor', 'F=1'), 'not measured in this run'),
    (('--quick', '--floor', 'F:compile=1'), 'not measured in this run'),
    (('--json', 'no/such/folder/x.json'), 'no such folder'),
    (('--liveportrait', 'DIR'), 'give --size full'),
    (('--only', 'train_audio'), "Unknown block 'train_audio': F, M"),
    (('--training', '--only', 'G'), "Unknown block 'G': train_audio"),
    (('--training', '--size', 'full'), 'is for --size nano'),
    (('--training', '--dtype', 'bfloat16'), 'and --dtype float32'),
    (('--device', 'abacus'), 'no device'),
    (('--peak-gbs', '10', '--device', 'cpu'), 'belong together'),
  ],
)
def test_mistakes(args, message, capsys):
  pytest.importorskip('torch')
  pytest.importorskip('transformers')
  assert command.main(args) == 2
  error = capsys.readouterr().err
  assert message in error and error.count('\n') == 1


def test_without_torch(monkeypatch, capsys):
  monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
  assert command.main([]) == 2
  assert 'torch is not installed: pip install' in capsys.readouterr().err


def test_checkout_must_be_one(tmp_path):
  pytest.importorskip('torch')
  from benchmarks.torch_reference import checkout

  with pytest.raises(InputError, match='is no checkout'):
    checkout.load(str(tmp_path))
  (tmp_path / 'src' / 'config').mkdir(parents=True)
  (tmp_path / 'src' / 'config' / 'models.yaml').write_text('model_params: {}')
  with pytest.raises(InputError, match='do not load'):
    checkout.load(str(tmp_path))
