import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import uniform_filter1d

from takin_jax.eval.metrics import figures, speech_probe
from takin_jax.ops import mel


def clip(seed, frames=150, gain=1.0):
  """Noise that is as loud as the lips are open."""
  rng = np.random.default_rng(seed)
  lips = uniform_filter1d(rng.uniform(size=frames), 3)
  loud = np.repeat(lips, 640)
  sound = gain * loud * rng.normal(size=len(loud))
  return sound.astype(np.float32), 0.1 * lips


@pytest.fixture(scope='module')
def probe():
  sounds, lips = zip(*(clip(seed) for seed in range(4)), strict=True)
  lips[0][5] = np.nan
  return speech_probe.fit(sounds, lips)


def test_the_probe_hears_how_open_lips_are(probe):
  sound, lips = clip(9, gain=0.1)
  guess = probe(sound)
  assert guess.shape == lips.shape
  curve = figures.lag_curve(guess, lips, 5)
  assert curve[5] > 0.7 and figures.peak_lag(curve) == 0
  other, _ = clip(10)
  assert figures.correlation(probe(other), lips) < 0.4


def test_features_are_mel_energies_around_the_frame():
  sound, _ = clip(3, frames=20)
  found = speech_probe.features(sound)
  assert found.shape == (20, 440)
  parts = found.reshape(20, 11, 40)
  np.testing.assert_allclose(parts[5, 5], parts[7, 3], atol=1e-6)
  np.testing.assert_allclose(parts[5, 5], parts[2, 8], atol=1e-6)
  np.testing.assert_allclose(speech_probe.features(5 * sound), found, atol=0.02)
  # The middle part is the mean of four windows, less the mean of the sound.
  scaled = (sound - sound.mean()) / (sound.std() + 1e-5)

  def windows(frame):
    starts = 640 * frame + 160 * np.arange(4) - 120
    cut = np.stack([scaled[start : start + 400] for start in starts])
    return np.asarray(mel.log_mel(jnp.asarray(cut), 40))[:, 0].mean(0)

  wanted = windows(8) - windows(9)
  np.testing.assert_allclose(parts[8, 5] - parts[9, 5], wanted, atol=1e-4)


def test_ridge_is_the_closed_form(probe):
  """The same as least squares on data with the penalty as more rows."""
  sounds, lips = zip(*(clip(seed) for seed in range(4)), strict=True)
  x = np.concatenate([speech_probe.features(s) for s in sounds])
  y = np.concatenate([(v - v.mean()) / v.std() for v in lips])
  fitted = speech_probe.fit(sounds, lips)
  x = (x - x.mean(0)) / (x.std(0) + 1e-6)
  penalty = np.sqrt(speech_probe._RIDGE * len(x)) * np.eye(x.shape[1])
  wanted = np.linalg.lstsq(
    np.vstack([x, penalty]), np.r_[y, np.zeros(len(penalty))], rcond=None
  )[0]
  np.testing.assert_allclose(fitted.weights, wanted, atol=1e-4)


def test_too_little_speech_is_said():
  sound, lips = clip(0, frames=20)
  with pytest.raises(ValueError, match='at least 50'):
    speech_probe.fit([sound], [lips])
  with pytest.raises(ValueError, match='at least 50'):
    speech_probe.fit([], [])
