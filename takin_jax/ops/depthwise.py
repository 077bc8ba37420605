"""Depthwise convolution as a sum of shifted products.

XLA fuses the taps into one loop; on CPU that is 7 to 25 times faster than its
native depthwise convolution. On GPUs the 2-D one stays native.
"""

import jax
import jax.numpy as jnp

from takin_jax.ops.conv import backend


def depthwise_conv1d(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """Correlates every channel with its own kernel, zero padding to 'same'.

  Args:
    x: [B, T, C].
    kernel: [k, C]; an even k looks one frame further back than ahead.

  Returns:
    [B, T, C].
  """
  taps, frames = kernel.shape[0], x.shape[1]
  padded = jnp.pad(x, ((0, 0), (taps // 2, (taps - 1) // 2), (0, 0)))
  return sum(padded[:, i : i + frames] * kernel[i] for i in range(taps))


def depthwise_conv2d(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """Correlates every channel with its own kernel, zero padding to 'same'.

  Args:
    x: [B, H, W, C].
    kernel: [k, k, C], k odd.

  Returns:
    [B, H, W, C].
  """
  (rows, columns, channels), (h, w) = kernel.shape, x.shape[1:3]
  pad = [(rows // 2, rows // 2), (columns // 2, columns // 2)]
  if backend() != 'cpu':
    return jax.lax.conv_general_dilated(
      x,
      kernel[:, :, None],
      (1, 1),
      pad,
      dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
      feature_group_count=channels,
    )
  x = jnp.pad(x, ((0, 0), *pad, (0, 0)))
  return sum(
    x[:, i : i + h, j : j + w] * kernel[i, j]
    for i in range(rows)
    for j in range(columns)
  )
