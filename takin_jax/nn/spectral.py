"""Spectrally normalised convolution, channel-last.

Source: Miyato et al., "Spectral Normalization for GANs" (arXiv 1802.05957), as
torch does it: one power step per training call, none at inference.
"""

from flax import linen as nn
import jax
import jax.numpy as jnp

from takin_jax.nn.blocks import he_normal


class SpectralConv(nn.Module):
  """2-D convolution whose kernel is divided by its largest singular value.

  The vectors of the power iteration, `u` [O] and `v` [k k I], live in the
  collection `batch_stats`; training updates them.

  Attributes:
    features: output channels O.
    kernel: kernel size.
    padding: zeros on every side; None: kernel // 2.
    use_bias: adds a bias.
    folded: the kernel is divided already (`nn/folding.py`).
    dtype: compute type; parameters and the norm are float32.
  """

  features: int
  kernel: int = 3
  padding: int | None = None
  use_bias: bool = True
  folded: bool = False
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
    """[B, H, W, I] -> [B, H', W', O]."""
    k, pad = self.kernel, self.padding
    pad = k // 2 if pad is None else pad
    shape = (k, k, x.shape[-1], self.features)
    kernel = self.param('kernel', he_normal, shape)
    if not self.folded:
      kernel = kernel / self._norm(kernel, train)
    y = jax.lax.conv_general_dilated(
      x.astype(self.dtype),
      kernel.astype(self.dtype),
      (1, 1),
      [(pad, pad)] * 2,
      dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    )
    if self.use_bias:
      bias = self.param('bias', nn.initializers.zeros, (self.features,))
      y = y + bias.astype(self.dtype)
    return y

  def _norm(self, kernel: jax.Array, train: bool) -> jax.Array:
    """v^T W u, after a power step in training; no gradient through u, v."""
    matrix = kernel.reshape(-1, kernel.shape[-1])

    def start(size: int) -> jax.Array:
      return _unit(jax.random.normal(self.make_rng('params'), (size,)))

    u, v = (
      self.variable('batch_stats', name, start, size)
      for name, size in zip('uv', matrix.shape[::-1], strict=True)
    )
    if train:
      fixed = jax.lax.stop_gradient(matrix)
      new_v = _unit(fixed @ u.value)
      new_u = _unit(new_v @ fixed)
      if not self.is_initializing():
        u.value, v.value = new_u, new_v
      return spectral_norm(matrix, new_u, new_v)
    return spectral_norm(
      matrix, *map(jax.lax.stop_gradient, (u.value, v.value))
    )


def spectral_norm(kernel: jax.Array, u: jax.Array, v: jax.Array) -> jax.Array:
  """v^T W u of a kernel [..., O] with u [O] and v [size / O]: scalar."""
  return v @ (kernel.reshape(-1, kernel.shape[-1]) @ u)


def _unit(x: jax.Array) -> jax.Array:
  return x / jnp.maximum(jnp.sqrt(jnp.square(x).sum()), 1e-12)
