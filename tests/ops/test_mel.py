import jax
import numpy as np

from takin_jax.ops.mel import HOP, WINDOW, log_mel, mel_filters


def test_equals_the_spectrum():
  wave = np.random.default_rng(0).normal(size=(2, 1000)).astype(np.float32)
  got = jax.jit(lambda x: log_mel(x, 20))(wave)
  assert got.shape == (2, 4, 20)
  frames = np.stack(
    [wave[:, i * HOP : i * HOP + WINDOW] for i in range(4)], axis=1
  )
  hann = np.hanning(WINDOW + 1)[:-1]
  power = np.abs(np.fft.rfft(frames * hann)) ** 2
  want = 0.2 * np.log(power @ mel_filters(20) + 1e-2)
  np.testing.assert_allclose(got, want, atol=1e-5)


def test_a_tone_lights_one_band():
  tone = np.sin(2 * np.pi * 1000 * np.arange(4000) / 16_000)[None]
  bands = np.asarray(log_mel(tone.astype(np.float32), 40)).mean((0, 1))
  centre = np.arange(201) @ mel_filters(40) / mel_filters(40).sum(0) * 40
  assert abs(centre[bands.argmax()] - 1000) < 60
  assert np.isfinite(log_mel(np.zeros((1, 800), np.float32), 40)).all()
