import json
import os
import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax.errors import InputError
from takin_jax.train import checkpoint, init_from, loop, metrics
from takin_jax.train.task import LossOutput
from tests.train import toy_task


def assert_equal(a, b):
  for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
    np.testing.assert_array_equal(x, y)


def test_resumed_run_is_bit_equal_to_a_straight_one(tmp_path):
  straight = loop.run(toy_task.toy_config(steps=5), tmp_path / 'straight')
  loop.run(toy_task.toy_config(steps=3), tmp_path / 'resumed')
  resumed = loop.run(toy_task.toy_config(steps=5), tmp_path / 'resumed')
  assert int(resumed.step) == 5
  assert_equal(straight, resumed)


def test_from_7_to_15_is_bit_equal_to_a_straight_run(tmp_path):
  config = toy_task.toy_config(steps=15, accumulate=2)
  config.checkpoint = {'every': 7, 'keep': 9}
  straight = loop.run(config, tmp_path / 'straight')
  folder = tmp_path / 'resumed' / checkpoint.FOLDER
  folder.mkdir(parents=True)
  (tmp_path / 'straight' / checkpoint.FOLDER / '7').rename(folder / '7')
  resumed = loop.run(config, tmp_path / 'resumed')
  assert int(resumed.step) == 15
  assert_equal(straight, resumed)


def test_a_batch_that_cannot_be_parted_is_refused(config, tmp_path):
  config.train.accumulate = 3
  with pytest.raises(ValueError, match=r'batch_size 8 .* train.accumulate 3'):
    loop.run(config, tmp_path)


def test_a_run_leaves_metrics_events_samples_and_config(config, tmp_path):
  loop.run(config, tmp_path)
  lines = (tmp_path / 'metrics.jsonl').read_text().splitlines()
  lines = [json.loads(line) for line in lines]
  steps = [line['step'] for line in lines if 'loss' in line]
  assert steps == [1, 2, 3, 4]
  speeds = {'steps_per_s', 'windows_per_s', 'data_wait_share', 'tflops'}
  assert {'grad_norm', 'param_norm', 'lr'} | speeds <= lines[0].keys()
  assert 'head/bias' in (tmp_path / 'parameters.txt').read_text()
  assert sum('eval/bias' in line for line in lines) == 2
  assert list((tmp_path / 'events').iterdir())
  assert (tmp_path / 'samples' / '0000004.txt').exists()
  assert checkpoint.read_config(tmp_path).name == 'toy'


def test_one_batch_overfits(config, tmp_path, monkeypatch):
  batch = next(toy_task.ToyTask(config).batches())

  class Same:
    def __next__(self):
      return batch

    def get_state(self):
      return {}

  monkeypatch.setattr(toy_task.ToyTask, 'batches', lambda _: Same())
  config.train.steps, config.train.log_every = 300, 100
  config.eval.every, config.checkpoint.every = 0, 1000
  config.optim.lr = 3e-2
  loop.run(config, tmp_path)
  lines = (tmp_path / 'metrics.jsonl').read_text().splitlines()
  assert json.loads(lines[-2])['loss'] < 0.01


def test_frozen_groups_and_facts_do_not_change(config, tmp_path):
  config.optim.freeze, config.optim.weight_decay = ('linear',), 0.1
  state = loop.run(config, tmp_path)
  start = toy_task.ToyTask(config).init(jax.random.key(config.seed))
  assert_equal(state.params['linear'], start['linear'])
  assert_equal(state.ema['stats'], start['stats'])
  assert np.abs(state.params['head']['bias']).min() > 0


def test_unknown_group_names_the_known_ones(config, tmp_path):
  config.optim.freeze = ('nose',)
  with pytest.raises(ValueError, match="'nose'.*head, linear, stats"):
    loop.run(config, tmp_path)


def test_another_model_in_the_same_workdir_is_refused(config, tmp_path):
  loop.run(config, tmp_path)
  other = toy_task.toy_config()
  other.name, other.model.linear.width = 'wide', 5
  with pytest.raises(
    checkpoint.WorkdirError, match=r"'toy'.*width = 4.*'wide' has 5"
  ):
    loop.run(other, tmp_path)


def test_a_damaged_checkpoint_is_skipped(config, tmp_path, caplog):
  straight = loop.run(config, tmp_path / 'straight')
  loop.run(config, tmp_path / 'run')
  newest = tmp_path / 'run' / checkpoint.FOLDER / '4' / 'state'
  for path in newest.rglob('*'):
    if path.is_file():
      path.write_bytes(path.read_bytes()[:20])
  ema = init_from.load_groups(str(tmp_path / 'run'))
  resumed = loop.run(config, tmp_path / 'run')
  assert 'Skipping the damaged checkpoint 4' in caplog.text
  assert_equal(straight, resumed)
  assert (tmp_path / 'run' / 'damaged' / '4').is_dir()
  assert_equal(checkpoint.Checkpoints(tmp_path / 'run').ema(), resumed.ema)
  assert np.isfinite(ema['head']['bias']).all()
  lines = (tmp_path / 'run' / 'metrics.jsonl').read_text().splitlines()
  steps = [json.loads(line)['step'] for line in lines]
  assert steps == [1, 2, 2, 3, 4, 4]  # each once, and two evaluations


def test_nan_stops_and_keeps_the_last_good_checkpoint(
  config, tmp_path, monkeypatch
):
  def loss(self, params, *args):
    del self, args
    bias = params['head']['bias'].sum()
    return LossOutput(bias + jnp.log(0.035 - jnp.abs(bias)), {})

  monkeypatch.setattr(toy_task.ToyTask, 'loss', loss)
  config.train.steps, config.checkpoint.every = 20, 1
  with pytest.raises(metrics.DivergedError, match='last good'):
    loop.run(config, tmp_path)
  saved = checkpoint.Checkpoints(tmp_path).ema()
  assert np.isfinite(saved['head']['bias']).all()


def test_time_limit_stops_cleanly(config, tmp_path, capsys):
  config.train.time_limit_s = 1e-6
  state = loop.run(config, tmp_path, 'python train.py')
  assert int(state.step) == 1
  assert 'Resume: python train.py' in capsys.readouterr().out
  config.train.time_limit_s = 0
  assert int(loop.run(config, tmp_path).step) == 4


def test_sigterm_saves(config, tmp_path, monkeypatch, capsys):
  real = toy_task.ToyTask.batches

  def interrupted(self):
    batches = real(self)
    os.kill(os.getpid(), signal.SIGTERM)
    return batches

  monkeypatch.setattr(toy_task.ToyTask, 'batches', interrupted)
  state = loop.run(config, tmp_path)
  assert int(state.step) == 1
  assert 'Resume' in capsys.readouterr().out
  assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
  assert (tmp_path / checkpoint.FOLDER / '1').is_dir()


def test_init_from_takes_groups_of_a_run(config, tmp_path):
  first = loop.run(config, tmp_path / 'first')
  config.train.init_from = (f'{tmp_path / "first"}:linear',)
  config.optim.freeze = ('linear',)
  second = loop.run(config, tmp_path / 'second')
  assert_equal(second.params['linear'], first.ema['linear'])
  config.model.linear.width = 5
  with pytest.raises(ValueError, match=r'linear.*\(3, 4\).*\(3, 5\)'):
    loop.run(config, tmp_path / 'third')


@pytest.mark.parametrize(
  ('key', 'value', 'message'),
  [
    ('data.batch_size', 0, 'data.batch_size 0 is not a multiple'),
    ('train.log_every', 0, r'train.log_every is 0: take 1 or more'),
    ('train.steps', 0, 'train.steps is 0'),
    ('train.samples_every', -1, 'train.samples_every is -1'),
    ('checkpoint.every', 0, 'checkpoint.every is 0'),
    ('checkpoint.keep', 0, 'checkpoint.keep is 0'),
    ('mesh.devices', -1, 'mesh.devices is -1'),
    ('train.init_from', ('nowhere:linear',), 'nowhere is neither a training'),
  ],
)
def test_what_cannot_work_is_refused_before_anything(
  config, tmp_path, key, value, message
):
  block, _, name = key.partition('.')
  config[block][name] = value
  with pytest.raises(InputError, match=message):
    loop.run(config, tmp_path / 'run')
  assert not (tmp_path / 'run').exists()


def test_a_task_says_beforehand_what_will_be_left_out(
  config, tmp_path, monkeypatch, capsys
):
  note = 'Nothing will be evaluated.'
  monkeypatch.setattr(toy_task.ToyTask, 'check', lambda self: [note])
  config.train.steps = 1
  loop.run(config, tmp_path)
  assert capsys.readouterr().out.splitlines()[0] == note
