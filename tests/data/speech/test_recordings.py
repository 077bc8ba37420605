import numpy as np
import pytest

from takin_jax.data.speech import recordings

FEATURES = 3


@pytest.fixture
def folder(tmp_path):
  """One record of 60 frames; feature 0 is the frame's number."""
  samples = recordings.sample_count(60)
  audio = (np.arange(samples) // recordings.FRAME_SAMPLES).astype(np.int16)
  features = np.zeros((60, FEATURES), np.float16)
  features[:, 0] = np.arange(60)
  np.savez(tmp_path / 'a.npz', audio=audio, features=features)
  mean, std = np.array([10, 0, 0.0]), np.array([2, 1, 1.0])
  np.savez(tmp_path / recordings.STATS_FILE, mean=mean, std=std)
  return tmp_path


def test_counts():
  assert recordings.frame_count(80_080) == 250
  assert recordings.sample_count(250) == 80_080
  for frames in (1, 2, 77):
    samples = recordings.sample_count(frames)
    assert recordings.frame_count(samples) == frames
    assert recordings.frame_count(samples - 1) == frames - 1
  assert recordings.frame_count(100) == 0


def test_features_are_normalised_by_the_given_stats(folder, tmp_path):
  record = recordings.SpeechRecords(folder)[0]
  np.testing.assert_allclose(record['features'][:3, 0], [-5, -4.5, -4])
  other = tmp_path / 'other.npz'
  np.savez(other, mean=np.zeros(FEATURES), std=np.ones(FEATURES))
  record = recordings.SpeechRecords(folder, other)[0]
  np.testing.assert_allclose(record['features'][:3, 0], [0, 1, 2])


def test_windows_keep_sound_and_features_together(folder):
  record = recordings.SpeechRecords(folder)[0]
  starts = set()
  for seed in range(20):
    window = recordings.window(record, np.random.default_rng(seed), 20)
    assert window['wave'].shape == (recordings.sample_count(20),)
    assert window['features'].shape == (20, FEATURES)
    assert window['mask'].all() and window['sample_mask'].all()
    start = round(float(window['features'][0, 0]) * 2 + 10)
    assert round(float(window['wave'][0]) * 32768) == start
    starts.add(start)
  assert len(starts) > 5


def test_short_records_are_padded(folder):
  record = recordings.SpeechRecords(folder)[0]
  window = recordings.window(record, np.random.default_rng(0), 80)
  assert window['mask'].sum() == 60
  assert window['sample_mask'].sum() == recordings.sample_count(60)
  assert not window['wave'][~window['sample_mask']].any()


def test_augmentation_leaves_the_features(folder):
  record = recordings.SpeechRecords(folder)[0]
  noise = np.random.default_rng(1).integers(-999, 999, 500).astype(np.int16)
  for seed in range(8):
    plain, changed = (
      recordings.window(record, np.random.default_rng(seed), 20, augment, noise)
      for augment in (None, recordings.Augment(noise=1.0))
    )
    np.testing.assert_array_equal(plain['features'], changed['features'])
    assert changed['wave'].dtype == np.float32
    assert np.isfinite(changed['wave']).all()
    assert np.abs(plain['wave'] - changed['wave']).max() > 0


def test_silence_survives_augmentation():
  rng = np.random.default_rng(0)
  silent = recordings.augmented(
    np.zeros(800), rng, recordings.Augment(noise=1.0), None
  )
  assert np.abs(silent).max() < 1e-3


def test_an_empty_folder_is_named(tmp_path):
  with pytest.raises(ValueError, match=str(tmp_path)):
    recordings.SpeechRecords(tmp_path)
