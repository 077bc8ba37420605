"""One program, whatever the number of devices and processes."""

import json
import os
from pathlib import Path
import signal
import socket
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from takin_jax.train import distributed, sharding
from tests.data.fake_records import write_clip

ROOT = Path(__file__).parents[2]


def start(*arguments, devices=1):
  flags = f'--xla_force_host_platform_device_count={devices}'
  return subprocess.Popen(
    [sys.executable, '-m', 'tests.train.worker', *map(str, arguments)],
    env={**os.environ, 'XLA_FLAGS': flags, 'JAX_PLATFORMS': 'cpu'},
    cwd=ROOT,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


def result(process, timeout_s=300):
  out, err = process.communicate(timeout=timeout_s)
  assert process.returncode == 0, err
  return json.loads(out.splitlines()[-1])


def free_port():
  with socket.socket() as s:
    s.bind(('localhost', 0))
    return s.getsockname()[1]


def start_two(workdir, overrides):
  port = free_port()
  return [start('toy', workdir, overrides, port, 2, i) for i in range(2)]


@pytest.mark.parametrize(
  'stage', [pytest.param('motion', marks=pytest.mark.slow), 'audio']
)
def test_eight_devices_train_a_stage_like_one(tmp_path, stage):
  records = tmp_path / 'records'
  for i in range(3):
    write_clip(records, f'{i}', f'p{i}', frames=50, seed=i, speech=True)
  process = start('smoke', tmp_path, stage, records, devices=8)
  one, eight = result(process, 900)
  assert len(one) == len(eight) == 20
  np.testing.assert_allclose(one, eight, rtol=1e-5)


def test_devices_processes_and_parts_make_no_difference(tmp_path):
  plain = {'train.steps': 4}
  divided = {**plain, 'mesh.shard_above': 3}
  one = start('toy', tmp_path / 'one', json.dumps(plain))
  four = start('toy', tmp_path / 'four', json.dumps(divided), devices=4)
  two = start_two(tmp_path / 'two', json.dumps(divided))
  one, four, *two = (result(p) for p in (one, four, *two))
  assert "'data'" not in one['layout']
  for other in (four, *two):
    assert "'data'" in other['layout']
    np.testing.assert_allclose(other['kernel'], one['kernel'], rtol=1e-6)
  # One process goes on from what two have saved.
  longer = json.dumps({'train.steps': 6})
  resumed, straight = (
    result(start('toy', tmp_path / name, longer)) for name in ('two', 'one')
  )
  np.testing.assert_allclose(resumed['kernel'], straight['kernel'], rtol=1e-6)


@pytest.mark.slow
def test_a_signal_to_one_process_stops_both_at_the_same_step(tmp_path):
  processes = start_two(tmp_path, json.dumps({'train.steps': 100_000}))
  metrics = tmp_path / 'metrics.jsonl'
  for _ in range(600):
    if metrics.exists() and metrics.read_text().count('\n') > 3:
      break
    time.sleep(0.1)
  processes[1].send_signal(signal.SIGTERM)
  one, two = (result(p) for p in processes)
  assert one == two
  assert list((tmp_path / 'checkpoints').iterdir())


def test_layout_divides_the_longest_axis_of_large_arrays():
  devices = np.array(jax.devices() * 1)
  mesh = jax.sharding.Mesh(devices, ('data',))
  tree = {
    'large': jax.ShapeDtypeStruct((2, 8, 4), np.float32),
    'small': jax.ShapeDtypeStruct((8,), np.float32),
  }
  layout = sharding.state_layout(tree, mesh, 10)
  assert layout['large'].spec == jax.sharding.PartitionSpec(None, 'data')
  assert layout['small'].spec == jax.sharding.PartitionSpec()
  layout = sharding.state_layout(tree, mesh)
  assert layout['large'].spec == jax.sharding.PartitionSpec()


def test_clusters_are_found_and_half_given_flags_refused():
  assert not distributed.in_cluster({})
  assert not distributed.in_cluster({'SLURM_STEP_NUM_TASKS': '1'})
  assert distributed.in_cluster({'SLURM_STEP_NUM_TASKS': '8'})
  assert distributed.in_cluster({'OMPI_COMM_WORLD_SIZE': '2'})
  pod = {'KUBERNETES_SERVICE_HOST': 'x', 'JOB_COMPLETION_INDEX': '0'}
  assert distributed.in_cluster(pod)
  with pytest.raises(ValueError, match='give all three'):
    distributed.initialize(process_id=1)
