"""Convolution blocks shared by the renderer's modules, channel-last."""

from collections.abc import Callable
import math

from flax import linen as nn
import jax
import jax.numpy as jnp

from takin_jax.ops import conv as conv_lib
from takin_jax.ops.phases import conv_enlarged
from takin_jax.ops.resize import avg_pool, nearest_upsample

Dtype = jnp.dtype
BATCH_NORM_EPS = 1e-5

he_normal = nn.initializers.variance_scaling(2.0, 'fan_in', 'normal')
small_normal = nn.initializers.variance_scaling(0.1, 'fan_in', 'normal')


def leaky_relu(x: jax.Array, slope: float = 0.2) -> jax.Array:
  return nn.leaky_relu(x, slope) if slope else nn.relu(x)


def gelu(x: jax.Array) -> jax.Array:
  """The exact one, by erf: JAX's own computes erfc, which takes longer."""
  return 0.5 * x * (1.0 + jax.lax.erf(x * math.sqrt(0.5)))


class Kernel(nn.Module):
  """The parameters of a `Conv`, and the product with them.

  At load, `nn/transforms.py` may put a transformed kernel in the place of the
  parameter `kernel`; then that one is used.
  """

  features: int
  taps: tuple[int, ...]
  stride: int
  enlarge: int
  over_depth: bool
  use_bias: bool
  kernel_init: Callable
  dtype: Dtype

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    x = x.astype(self.dtype)
    y = self._transformed(x)
    if y is None:
      inputs = x.shape[-1] * (x.shape[1] if self.over_depth else 1)
      shape = (*self.taps, inputs, self.features)
      kernel = self.param('kernel', self.kernel_init, shape)
      kernel = kernel.astype(self.dtype)
      if self.over_depth:
        y = conv_lib.conv_over_depth(x, kernel)
      else:
        x = nearest_upsample(x, self.enlarge)
        y = conv_lib.conv(x, kernel, self.stride)
    if self.use_bias:
      zeros = nn.initializers.zeros
      bias = self.param('bias', zeros, (self.features,))
      y = y + bias.astype(self.dtype)
    return y

  def _transformed(self, x: jax.Array) -> jax.Array | None:
    """The convolution with a kernel transformed at load, if there is one."""

    def stored(name: str) -> jax.Array:
      kernel = self.get_variable('params', name)
      return jax.tree.map(lambda k: k.astype(self.dtype), kernel)

    if self.has_variable('params', 'phases'):
      return conv_enlarged(x, stored('phases'), self.enlarge)
    for name, (_, run) in conv_lib.TRANSFORMS.items():
      if self.has_variable('params', name):
        return run(nearest_upsample(x, self.enlarge), stored(name))
    return None


class Conv(nn.Module):
  """Convolution with symmetric zero padding k // 2.

  Attributes:
    features: output channels.
    kernel: kernel size, the same for every spatial axis.
    stride: stride, the same for every spatial axis.
    ndim: 2 for [B, H, W, C], 3 for [B, D, H, W, C].
    enlarge: repeats H and W so often first.
    over_depth: takes [B, D, H, W, C] for [B, H, W, C D], channel-major.
    use_bias: adds a bias.
    kernel_init: initialiser of the kernel.
    dtype: compute type; parameters are float32.
  """

  features: int
  kernel: int = 3
  stride: int = 1
  ndim: int = 2
  enlarge: int = 1
  over_depth: bool = False
  use_bias: bool = True
  kernel_init: Callable = he_normal
  dtype: Dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    return Kernel(
      self.features,
      (self.kernel,) * self.ndim,
      self.stride,
      self.enlarge,
      self.over_depth,
      self.use_bias,
      self.kernel_init,
      self.dtype,
      name='conv',
    )(x)


def group_norm(x: jax.Array, groups: int = 8) -> jax.Array:
  """Group normalisation without parameters, float32 inside: [B, ..., C]."""
  b, *space, c = x.shape
  y = x.astype(jnp.float32).reshape(b, -1, groups, c // groups)
  mean = y.mean((1, 3), keepdims=True)
  var = jnp.square(y - mean).mean((1, 3), keepdims=True)
  y = (y - mean) * jax.lax.rsqrt(var + 1e-5)
  return y.reshape(b, *space, c).astype(x.dtype)


class ResBlock(nn.Module):
  """x + conv(act(norm(conv(act(norm(x)))))), pre-activation.

  Attributes:
    features: channels in and out.
    norm: group normalisation before each activation.
    dtype: compute type.
  """

  features: int
  norm: bool = True
  dtype: Dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    norm = group_norm if self.norm else lambda y: y
    y = Conv(self.features, dtype=self.dtype, name='conv1')(leaky_relu(norm(x)))
    y = Conv(
      self.features, kernel_init=small_normal, dtype=self.dtype, name='conv2'
    )(leaky_relu(norm(y)))
    return x + y


class BatchNorm(nn.Module):
  """Batch norm as torch has it: eps 1e-5, momentum 0.1, float32.

  Running statistics live in the collection `batch_stats`; as in torch, the
  running variance is the unbiased one.

  Attributes:
    folded: nothing but a scale and a bias is left (`nn/folding.py`).
  """

  folded: bool = False

  @nn.compact
  def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
    channels = x.shape[-1:]
    scale = self.param('scale', nn.initializers.ones, channels)
    bias = self.param('bias', nn.initializers.zeros, channels)
    y = x.astype(jnp.float32)
    if not self.folded:
      mean, var = self._statistics(y, train)
      y = (y - mean) * jax.lax.rsqrt(var + BATCH_NORM_EPS)
    return (y * scale + bias).astype(x.dtype)

  def _statistics(
    self, x: jax.Array, train: bool
  ) -> tuple[jax.Array, jax.Array]:
    """Mean and variance to use: the batch's in training, else the running."""
    running_mean = self.variable('batch_stats', 'mean', jnp.zeros, x.shape[-1:])
    running_var = self.variable('batch_stats', 'var', jnp.ones, x.shape[-1:])
    if not train:
      return running_mean.value, running_var.value
    axes = tuple(range(x.ndim - 1))
    mean = x.mean(axes)
    var = jnp.square(x - mean).mean(axes)
    if not self.is_initializing():
      count = x.size // x.shape[-1]
      unbiased = var * (count / max(count - 1, 1))
      running_mean.value = 0.9 * running_mean.value + 0.1 * mean
      running_var.value = 0.9 * running_var.value + 0.1 * unbiased
    return mean, var


class ConvNormAct(nn.Module):
  """Convolution, batch norm and ReLU, or convolution and leaky ReLU.

  Attributes:
    features: output channels.
    kernel: kernel size.
    stride: reduction of H and W.
    pool: reduce by mean pooling after the activation instead of striding.
    ndim: 2, or 3 (then D is neither strided nor pooled).
    enlarge: repeats H and W so often first.
    batch_norm: batch norm and ReLU; otherwise leaky ReLU alone.
    folded: the batch norm is part of the convolution (`nn/folding.py`).
    slope: of the activation after a batch norm for negative input.
    dtype: compute type.
  """

  features: int
  kernel: int = 3
  stride: int = 1
  pool: bool = False
  ndim: int = 2
  enlarge: int = 1
  batch_norm: bool = True
  folded: bool = False
  slope: float = 0.0
  dtype: Dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
    x = Conv(
      self.features,
      self.kernel,
      1 if self.pool else self.stride,
      self.ndim,
      self.enlarge,
      dtype=self.dtype,
      name='conv',
    )(x)
    if self.batch_norm:
      if not self.folded:
        x = BatchNorm(name='norm')(x, train)
      x = leaky_relu(x, self.slope)
    else:
      x = leaky_relu(x)
    return avg_pool(x, self.stride) if self.pool else x


class ResBlock3d(nn.Module):
  """Pre-activation residual block with batch norm: [B, D, H, W, C].

  Attributes:
    features: channels in and out.
    folded: the second norm is part of the first convolution, the first one
      is a scale and a bias (`nn/folding.py`).
    dtype: compute type.
  """

  features: int
  folded: bool = False
  dtype: Dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
    def conv(y: jax.Array, name: str) -> jax.Array:
      return Conv(self.features, ndim=3, dtype=self.dtype, name=name)(y)

    y = nn.relu(BatchNorm(self.folded, name='norm1')(x, train))
    y = conv(y, 'conv1')
    if not self.folded:
      y = BatchNorm(name='norm2')(y, train)
    return x + conv(nn.relu(y), 'conv2')
