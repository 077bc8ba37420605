"""The whole path at toy size: train both stages, export, make a video."""

import json
from pathlib import Path
import runpy

import av
import numpy as np

import takin_jax
from takin_jax.cli import infer
from takin_jax.train import loop
from takin_jax.train.release import export
from tests.data.fake_records import write_clip

SMOKE = Path(__file__).parents[2] / 'configs' / 'smoke.py'
STEPS = 6


def _train(stage: str, records: Path, workdir: Path) -> list[dict]:
  config = runpy.run_path(str(SMOKE))['get_config'](stage)
  config.data.records = str(records)
  config.train.steps = STEPS
  config.train.log_every = 2
  loop.run(config, workdir)
  lines = (workdir / 'metrics.jsonl').read_text().splitlines()
  return [json.loads(line) for line in lines]


def test_train_both_stages_and_talk(tmp_path):
  records = tmp_path / 'records'
  for i, split in enumerate(('train', 'train', 'val')):
    write_clip(records, f'{i}', f'p{i}', split, 50, seed=i, speech=True)
  for stage in ('motion', 'audio'):
    lines = _train(stage, records, tmp_path / stage)
    losses = [line['loss'] for line in lines if 'loss' in line]
    assert len(losses) == STEPS // 2 and np.isfinite(losses).all()
  weights = tmp_path / 'weights'
  runs = [str(tmp_path / stage) for stage in ('motion', 'audio')]
  export.main([*runs, '--out', str(weights)])
  video = tmp_path / 'out.mp4'
  driver = takin_jax.EXAMPLE_SPEECH
  arguments = ['-a', str(driver), '-o', str(video), '--weights', str(weights)]
  assert infer.main(arguments) in (0, None)
  with av.open(str(video)) as container:
    stream = container.streams.video[0]
    assert (stream.width, stream.height) == (64, 64)
    assert abs(stream.frames / 25 - container.duration / 1e6) < 0.1
    assert len(container.streams.audio) == 1
