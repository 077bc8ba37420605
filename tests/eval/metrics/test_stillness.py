import numpy as np
import pytest

from takin_jax.eval.metrics import stillness


def _clip() -> np.ndarray:
  """Three frames: the left half moves, the right one is noisy."""
  rng = np.random.default_rng(0)
  clip = np.full((3, 32, 32, 3), 100, np.uint8)
  clip += rng.integers(0, 4, clip.shape, np.uint8)
  clip[1:, :, :16] += 60
  return clip


def test_noise_is_still():
  still = stillness.still_pixels(_clip())
  assert not still[:, :14].any() and still[:, 19:].all()


def test_only_still_pixels_count():
  driving = _clip()
  made = np.repeat(driving[:1], 3, 0)
  assert stillness.moved_share(made, driving) == pytest.approx([0, 0, 0])
  made[:, :, :14] = 255  # where the clip moves, too
  assert stillness.moved_share(made, driving) == pytest.approx([0, 0, 0])
  made[1, 16:, 16:] += 10  # not seen
  made[2, 16:, 16:] += 30
  share = stillness.moved_share(made, driving)
  assert share[:2] == pytest.approx([0, 0])
  assert share[2] == pytest.approx(0.5, abs=0.05)


def test_a_clip_that_moves_everywhere_has_no_share():
  driving = np.stack([np.zeros((8, 8, 3)), np.full((8, 8, 3), 90)])
  driving = driving.astype(np.uint8)
  assert np.isnan(stillness.moved_share(driving, driving)).all()
