"""The described shapes are those of real batches."""

import numpy as np

from takin_jax.data.batches import frame_pairs, motion_windows
from takin_jax.data.batches import specs as batch_specs
from takin_jax.data.speech import batches as speech_batches
from takin_jax.data.speech import recordings
from tests.data.fake_records import write_clip


def check(spec, batch):
  found = {name: (x.shape, x.dtype) for name, x in batch.items()}
  assert found == spec


def test_pairs(tmp_path):
  for i in range(2):
    write_clip(tmp_path, f'{i}', 'ann', seed=i)
  data = dict(records=str(tmp_path), batch_size=3, size_px=16, others=2)
  batches = frame_pairs.batches(data, 0, landmarks=(1, 5, 7))
  check(batch_specs.pairs(data, 3), next(batches))
  data['others'] = 0
  check(batch_specs.pairs(data), next(frame_pairs.batches(data, 0)))


def test_windows(tmp_path):
  write_clip(tmp_path, 'a', 'ann', frames=40, speech=True)
  data = dict(records=str(tmp_path), batch_size=2, min_frames=10)
  batches = iter(motion_windows.batches(data, 20, 4, seed=0))
  check(batch_specs.windows(data, 20, 4), next(batches))


def test_speech_windows(tmp_path):
  samples = recordings.sample_count(60)
  features = np.zeros((60, 3), np.float16)
  audio = np.ones(samples, np.int16)
  np.savez(tmp_path / 'a.npz', audio=audio, features=features)
  np.savez(
    tmp_path / recordings.STATS_FILE,
    mean=np.zeros(3, np.float32),
    std=np.ones(3, np.float32),
  )
  data = dict(records=str(tmp_path), batch_size=2, frames=20)
  batches = speech_batches.batches(data, 0)
  check(batch_specs.speech_windows(data, 3), next(batches))
