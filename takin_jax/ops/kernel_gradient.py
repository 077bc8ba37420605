"""2-D convolution whose kernel's gradient is computed in another form.

In: x [B, H, W, I] and a kernel [k, k, I, O], k odd. Out: [B, H, W, O]. Values
and gradients are those of the plain convolution with padding k // 2, up to
rounding. The gradient of a kernel is itself a convolution, of the input with
the output's cotangent; here the two are exchanged, or the cotangent gets
channels of zeros. `ops/conv.py` says when that is faster.
"""

import functools

import jax
import jax.numpy as jnp

_LANES = 16  # float32 numbers in the widest register of a processor


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def conv(x: jax.Array, kernel: jax.Array, form: str) -> jax.Array:
  """Convolution with zeros around; `form` is 'exchanged' or 'padded'."""
  del form
  return _conv(x, kernel)


def _conv(x: jax.Array, kernel: jax.Array) -> jax.Array:
  return jax.lax.conv_general_dilated(
    x,
    kernel,
    (1, 1),
    [(k // 2, k // 2) for k in kernel.shape[:2]],
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )


def _forward(x: jax.Array, kernel: jax.Array, form: str):
  del form
  return _conv(x, kernel), (x, kernel)


def _backward(form: str, kept: tuple[jax.Array, jax.Array], dy: jax.Array):
  x, kernel = kept
  (dx,) = jax.linear_transpose(lambda x: _conv(x, kernel), x)(dy)
  if form == 'exchanged':
    # sum of x[p + i] dy[p] is sum of dy[p - i] x[p]: taps run backwards.
    found = _of_kernel(dy, x, kernel)[::-1, ::-1].swapaxes(2, 3)
  else:
    outputs = dy.shape[-1]
    wide = jnp.pad(dy, ((0, 0),) * 3 + ((0, -outputs % _LANES),))
    found = _of_kernel(x, wide, kernel)[..., :outputs]
  return dx, found


def _of_kernel(x: jax.Array, dy: jax.Array, kernel: jax.Array) -> jax.Array:
  """Gradient of a kernel between x and dy with the taps of `kernel`."""
  shape = (*kernel.shape[:2], x.shape[-1], dy.shape[-1])
  like = jax.ShapeDtypeStruct(shape, kernel.dtype)
  return jax.linear_transpose(lambda k: _conv(x, k), like)(dy)[0]


conv.defvjp(_forward, _backward)
