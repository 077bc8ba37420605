"""SyncNet's distance and confidence, its sound and its pictures."""

from types import SimpleNamespace

import numpy as np
import pytest

from takin_jax.eval.metrics.mfcc import mfcc
from takin_jax.eval.metrics.syncnet import SyncNet, face_crops, sync_error
from tests.eval.fake_judge import readings


def mel(hz):
  return 2595 * np.log10(1 + hz / 700)


def literal_mfcc(samples, start):
  """One window of 400 samples by the definitions, sum by sum."""
  x = (
    samples[start : start + 400] - 0.97 * np.r_[0, samples][start : start + 400]
  )
  if start == 0:
    x[0] = samples[0]
  n = np.arange(400)
  spectrum = [
    abs((x * np.exp(-2j * np.pi * k * n / 512)).sum()) for k in range(257)
  ]
  power = np.array(spectrum) ** 2 / 512
  edges = 700 * (10 ** (np.linspace(0, mel(8000), 28) / 2595) - 1)
  edges = np.floor(513 * edges / 16000).astype(int)
  bands = np.zeros(26)
  for b in range(26):
    low, middle, high = edges[b : b + 3]
    for k in range(low, middle):
      bands[b] += power[k] * (k - low) / (middle - low)
    for k in range(middle, high):
      bands[b] += power[k] * (high - k) / (high - middle)
  logs, out = np.log(bands), []
  for c in range(13):
    angle = np.pi * c * (2 * np.arange(26) + 1) / 52
    value = (logs * np.cos(angle)).sum() * np.sqrt((1 if c == 0 else 2) / 26)
    out.append(value * (1 + 11 * np.sin(np.pi * c / 22)))
  out[0] = np.log(power.sum())
  return out


def test_mfcc():
  rng = np.random.default_rng(0)
  samples = rng.integers(-9000, 9000, 1000)
  found = mfcc((samples / 32768).astype(np.float32))
  assert found.shape == (5, 13)  # 1 + ceil(600 / 160)
  for step in (0, 2):
    wanted = literal_mfcc(samples, 160 * step)
    np.testing.assert_allclose(found[step], wanted, rtol=1e-9)
  assert np.isfinite(mfcc(np.zeros(100, np.float32))).all()


@pytest.mark.parametrize('late', [-3, 0, 4])
def test_the_offset_is_found(late):
  sound = np.random.default_rng(1).normal(size=(80, 8))
  lips = np.roll(sound, late, 0)[20:60]
  found = sync_error(lips, sound[20:60])
  assert found['lse_offset'] == late
  # The ends that moved out of the series are as far as from zero.
  outside = lips[-abs(late) :] if late < 0 else lips[:late]
  wanted = np.linalg.norm(outside, axis=1).sum() / 40 if late else 0
  assert found['lse_d'] == pytest.approx(wanted, abs=1e-5)
  assert found['lse_c'] > 2


def test_constant_embeddings_by_hand():
  """Distance 5 everywhere inside, 3 where the sound has ended."""
  face, audio = np.tile([3.0, 0], (40, 1)), np.tile([0.0, 4], (40, 1))
  found = sync_error(face, audio)
  # At 15 frames either way 25 distances are 5 and 15 are 3.
  assert found['lse_d'] == pytest.approx((25 * 5 + 15 * 3) / 40, abs=1e-5)
  # The median offset is 7.5 on average: eight frames outside.
  assert found['lse_c'] == pytest.approx((32 * 5 + 8 * 3) / 40 - 4.25, abs=1e-5)


class Net:
  """What it sees at the first and last step of its window."""

  def __init__(self, shape, read):
    self.shape, self.read = shape, read

  def get_inputs(self):
    return [SimpleNamespace(name='in', shape=self.shape)]

  def run(self, names, feed):
    assert list(feed['in'].shape) == self.shape
    return [np.array([self.read(feed['in'])], np.float32)]


def test_lips_that_move_with_the_sound_are_in_sync():
  """Brightness follows loudness, and the fake networks read just those."""
  rng = np.random.default_rng(2)
  level = rng.uniform(-1, 1, 60)
  loud = np.repeat(np.exp(level), 640)
  sound = (0.05 * loud * rng.choice([-1, 1], len(loud))).astype(np.float32)
  bright = (100 * level + 128).astype(np.uint8)
  images = np.broadcast_to(bright[:, None, None, None], (60, 32, 32, 3))
  seen = readings(np.full(60, 0.1))
  seen.landmarks[..., :2] = 0.5 + 0.2 * rng.uniform(-1, 1, (478, 2))
  face = Net([1, 3, 5, 224, 224], lambda x: x[0, 0, :, 112, 112] / 100)
  audio = Net(
    [1, 1, 13, 20], lambda x: x[0, 0, 0].reshape(5, 4)[:, 1:3].mean(1) / 2
  )
  judge = SyncNet(face, audio)

  def centred(net):
    read = net.read
    net.read = lambda x: read(x) - read(x).mean()

  centred(face), centred(audio)
  found = judge(images, seen, sound)
  assert found['lse_offset'] == 0
  late = judge(np.roll(images, 3, 0), seen, sound)
  assert late['lse_offset'] == 3
  wrong = judge(images[::-1], seen, sound)
  assert wrong['lse_d'] > 1.5 * found['lse_d']
  assert wrong['lse_c'] < 0.7 * found['lse_c']
  assert np.isnan(judge(images[:5], seen[:5], sound)['lse_d'])
  unseen = readings(np.full(60, np.nan))
  assert np.isnan(judge(images, unseen, sound)['lse_c'])


def test_crops_hold_the_face_in_bgr():
  image = np.zeros((100, 100, 3), np.uint8)
  image[20:60, 30:70] = (255, 100, 0)
  seen = readings([0.1, np.nan])
  seen.landmarks[0, :, :2] = 0.4
  seen.landmarks[0, :2, :2] = [[0.3, 0.2], [0.7, 0.6]]
  crops = face_crops([image, image], seen)
  assert crops.shape == (3, 2, 224, 224)
  # The box is 40 px of a crop of 56: 4 px a pixel, 8 px to either side.
  inside, outside = crops[:, 0, 5:155, 37:187], crops[:, 0, 165:, :]
  assert (inside == np.array([0, 100, 255])[:, None, None]).all()
  assert (outside == 0).all()
  np.testing.assert_array_equal(crops[:, 1], crops[:, 0])
