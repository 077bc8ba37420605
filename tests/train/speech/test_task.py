import json

from ml_collections import ConfigDict
import numpy as np
import pytest

from takin_jax.data.speech import recordings
from takin_jax.train import loop
from tests import tiny

FEATURES = 6


def write_records(folder, count, seed, width=FEATURES):
  """Noise whose loudness is in the features."""
  rng = np.random.default_rng(seed)
  folder.mkdir()
  for i in range(count):
    audio = rng.normal(scale=1000, size=16_000).astype(np.int16)
    frames = recordings.frame_count(len(audio))
    features = rng.normal(size=(frames, width)).astype(np.float16)
    np.savez(folder / f'a_{i:03d}_0.npz', audio=audio, features=features)
  ones = np.ones(width, np.float32)
  np.savez(folder / recordings.STATS_FILE, mean=0 * ones, std=ones)


@pytest.fixture
def config(tmp_path):
  write_records(tmp_path / 'train', 3, 0)
  write_records(tmp_path / 'val', 2, 1)
  return ConfigDict(
    {
      'name': 'tiny',
      'stage': 'speech',
      'seed': 0,
      'data': {
        'records': str(tmp_path / 'train'),
        'eval_records': str(tmp_path / 'val'),
        'batch_size': 2,
        'frames': 20,
      },
      'model': {'speech': tiny.SPEECH | {'dropout': 0.0}},
      'loss': {'features': FEATURES},
      'optim': {'lr': 1e-3},
      'train': {'steps': 2, 'log_every': 1},
      'eval': {'every': 0, 'windows': 2},
    }
  )


def test_trains_and_evaluates(config, tmp_path):
  state = loop.run(config, tmp_path / 'run')
  assert set(state.params) == {'speech', 'speech_head'}
  lines = (tmp_path / 'run' / 'metrics.jsonl').read_text().splitlines()
  last = json.loads(lines[-1])
  assert {'eval/l1', 'eval/cosine', 'eval/explained_variance'} <= last.keys()
  assert np.isfinite(list(last.values())).all()
