"""Runs that tests start as processes of their own.

  python -m tests.train.worker toy WORKDIR '{"train.steps": 9}' [PORT N I]
  python -m tests.train.worker smoke WORKDIR STAGE RECORDS

`toy` prints the first parameters; `smoke` trains a stage on 1 and on all
devices and prints the losses of both runs.
"""

import json
import pathlib
import runpy
import sys

import jax
import numpy as np

from takin_jax.train import distributed, loop, sharding
from takin_jax.train.task import Task, task_for
from tests.train import toy_task

SMOKE = pathlib.Path(__file__).parents[2] / 'configs' / 'smoke.py'


def toy(workdir, overrides, port=None, count=None, number=None):
  if port:
    distributed.initialize(f'localhost:{port}', int(count), int(number))
  config = toy_task.toy_config()
  config.update_from_flattened_dict(json.loads(overrides))
  state = loop.run(config, workdir)
  mesh = sharding.make_mesh(sharding.MeshConfig())
  params = sharding.local_copy(state.params, mesh)
  layout = state.params['linear']['kernel'].sharding.spec
  kernel = np.ravel(params['linear']['kernel']).tolist()
  print(json.dumps({'kernel': kernel, 'layout': str(layout)}))


def smoke(workdir, stage, records):
  curves = []
  for devices in (1, jax.device_count()):
    config = runpy.run_path(str(SMOKE))['get_config'](stage)
    config.data.update(records=records, batch_size=8)
    own = type(task_for(config))  # neither looks nor draws
    own.evaluate, own.samples = Task.evaluate, Task.samples
    config.train.update(steps=20, log_every=1)
    config.checkpoint.every = 100
    # Adam makes a full step of a gradient that is nothing but rounding.
    config.optim.update(dict(lr=1e-4, eps=1e-4))
    config.mesh = {'devices': devices, 'shard_above': 500 * (devices > 1)}
    folder = pathlib.Path(workdir) / f'{devices}'
    loop.run(config, folder)
    lines = (folder / 'metrics.jsonl').read_text().splitlines()
    curves.append([json.loads(line)['loss'] for line in lines])
  print(json.dumps(curves))


if __name__ == '__main__':
  # Compiling takes longer than all that is computed here.
  jax.config.update('jax_disable_most_optimizations', True)
  {'toy': toy, 'smoke': smoke}[sys.argv[1]](*sys.argv[2:])
