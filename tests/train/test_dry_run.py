import pytest

from takin_jax.train import dry_run
from tests.train import toy_task


def test_prints_config_parameters_batch_work_and_memory(config, capsys):
  dry_run.dry_run(config)
  out = capsys.readouterr().out
  assert '"name": "toy"' in out and 'head/bias' in out
  assert 'x: float32 [8, 3]' in out
  assert 'Model TFLOP per step' in out
  assert 'GiB within a step' in out


def test_without_records_the_task_describes_the_batch(
  config, capsys, monkeypatch
):
  config.data.records = '/nowhere'
  monkeypatch.delattr(toy_task.ToyTask, 'batches')
  monkeypatch.setattr(toy_task.ToyTask, '__abstractmethods__', frozenset())
  dry_run.dry_run(config)
  assert 'x: float32 [16, 3]' in capsys.readouterr().out
  assert config.data.records == '/nowhere'


def test_what_cannot_be_trained_is_refused(config):
  config.train.accumulate = 5
  with pytest.raises(ValueError, match='not a multiple'):
    dry_run.dry_run(config)
