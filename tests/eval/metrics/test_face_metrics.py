"""Figures of faces against values worked out by hand."""

import cv2
import numpy as np
import pytest
from scipy import ndimage

from takin_jax.eval.judge import Readings, join, pack, unpack
from takin_jax.eval.metrics import face_metrics
from tests.eval.fake_judge import readings


def test_akd_is_in_pixels_of_256():
  want, got = readings([0.1, 0.1, 0.1]), readings([0.1, 0.1, np.nan])
  got.landmarks[0, :, :2] += (3 / 256, 4 / 256)
  got.landmarks[1, :239, 1] += 2 / 256  # half of the 478 points
  got.landmarks[..., 2] += 7  # depth does not count
  found = face_metrics.keypoint_distance(want, got)
  assert found == pytest.approx([5, 1, np.nan], nan_ok=True)


def test_apd_is_the_mean_of_three_angles():
  turn = np.tile(np.eye(4), (2, 1, 1))
  c, s = np.cos(np.radians(9)), np.sin(np.radians(9))
  turn[1, :2, :2] = [[c, -s], [s, c]]  # nine degrees of roll
  want, got = readings([0.1, 0.1]), readings([0.1, 0.1])
  got = Readings(got.landmarks, turn, got.blendshapes)
  found = face_metrics.pose_distance(want, got)
  np.testing.assert_allclose(found, [0, 3], atol=1e-4)


def test_jitter_is_the_second_difference():
  seen = readings(np.full(6, 0.1))
  seen.landmarks[:, :, 0] += 0.01 * np.arange(6)[:, None]
  assert face_metrics.jitter(seen) == pytest.approx(0, abs=1e-9)
  seen.landmarks[:, :, 0] += 0.002 * (-1.0) ** np.arange(6)[:, None]
  assert face_metrics.jitter(seen) == pytest.approx(8)  # 4 x 2 thousandths
  seen.landmarks[:] *= 3  # a face three times as high
  assert face_metrics.jitter(seen) == pytest.approx(8)
  seen.landmarks[3] = np.nan
  assert face_metrics.jitter(seen) == pytest.approx(8)
  assert np.isnan(face_metrics.jitter(readings([0.1, 0.1])))


def test_sharpness_looks_at_the_face_only():
  rng = np.random.default_rng(0)
  image = rng.integers(0, 256, (64, 64, 3)).astype(np.uint8)
  seen = readings([0.1, np.nan])
  low, high = np.array([0.25, 0.5]), np.array([0.75, 0.875])
  seen.landmarks[0, :, :2] = low
  seen.landmarks[0, 7, :2] = high
  images = np.stack([image, image])
  found = face_metrics.sharpness(images, seen)
  grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(float)
  edges = ndimage.laplace(grey)[32:57, 16:49]
  assert found[0] == pytest.approx(edges.std(), rel=1e-5)
  assert np.isnan(found[1])
  blurred = cv2.GaussianBlur(image, (0, 0), 1)[None]
  assert face_metrics.sharpness(blurred, seen[:1])[0] < 0.3 * found[0]


def test_leakage_is_none_all_or_part():
  source = np.array([0.1, 0.2, np.nan, 0.3])
  assert face_metrics.leakage(source, source) == pytest.approx(1)
  assert face_metrics.leakage(source, 0 * source) == 0
  assert face_metrics.leakage(source, -0.5 * source) == pytest.approx(-0.5)
  # Slope through the origin: (.1 x .05 + .3 x .1) / (.1^2 + .3^2).
  made = np.array([0.05, np.nan, 1, 0.1])
  assert face_metrics.leakage(source, made) == pytest.approx(0.35)
  assert np.isnan(face_metrics.leakage(np.zeros(3), np.ones(3)))


def test_readings_can_be_packed_cut_and_joined():
  seen = readings([0.1, np.nan, 0.3])
  again = unpack(pack(seen, 'a/'), 'a/')
  np.testing.assert_array_equal(again.landmarks, seen.landmarks)
  assert again.names == seen.names
  np.testing.assert_array_equal(seen[1:].lips, seen.lips[1:])
  both = join([seen[:1], seen[1:]])
  np.testing.assert_array_equal(both.lips, seen.lips)
