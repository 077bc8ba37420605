"""Convolution in the formulation that suits its shape and the backend.

XLA's own convolution is right for most 2-D shapes, and everywhere on GPUs. On
CPUs its 3-D and depthwise ones are several times slower than the same sums
written as 2-D convolutions or products. `choose` is the one table of who gets
what; Winograd forms need kernels that are transformed once, at load
(`transform_for`). Kernels' gradients have a table of their own
(`kernel_gradient_form`). All forms give the same numbers up to rounding.
"""

from collections.abc import Callable, Sequence
import contextlib
import contextvars
import math

import jax
import jax.numpy as jnp

from takin_jax.ops import kernel_gradient, winograd

Padding = Sequence[tuple[int, int]]

_NAMES = {2: ('NHWC', 'HWIO', 'NHWC'), 3: ('NDHWC', 'DHWIO', 'NDHWC')}
_forced = contextvars.ContextVar('backend', default=None)


def backend() -> str:
  """What the traced program is for: 'cpu', 'gpu' or 'tpu'."""
  device = jax.config.jax_default_device
  default = getattr(device, 'platform', device) or jax.default_backend()
  return _forced.get() or default


@contextlib.contextmanager
def for_backend(name: str):
  """Programs traced inside are for another backend than the default one."""
  token = _forced.set(name)
  try:
    yield
  finally:
    _forced.reset(token)


def choose(shape: Sequence[int], kernel: Sequence[int], stride: int = 1) -> str:
  """Name of the form for an input [B, (D,) H, W, I] and a kernel.

  Measured on two cores of an AMD EPYC (AVX-512), float32.

  Args:
    shape: of the input.
    kernel: shape of the kernel [(kd,) kh, kw, I, O].
    stride: of every axis.
  """
  *taps, _, features = kernel
  if max(taps) == 1 and stride == 1:
    return 'product'
  if backend() != 'cpu' or len(taps) == 2 or stride > 1 or taps[0] == 1:
    return 'direct'
  if math.prod(shape[2:4]) <= 16:  # 4 x 4 cells
    return 'direct'
  return 'depth_as_outputs' if features < 32 else 'depth_as_batch'


def transform_for(
  shape: Sequence[int],
  kernel: Sequence[int],
  dtype: jnp.dtype,
  enlarge: int = 1,
) -> str | None:
  """Name of the transform of the kernel that is worth doing at load.

  Tensor cores and half precision leave Winograd nothing to gain.

  Args:
    shape: of the input [B, (D,) H, W, I], before it is enlarged.
    kernel: shape of the kernel [(kd,) kh, kw, I, O].
    dtype: compute type.
    enlarge: repetition of H and W.

  Returns:
    'phases' (`ops/phases.py`), a name in `TRANSFORMS`, or None.
  """
  *taps, inputs, outputs = kernel
  cells = math.prod(shape[-3:-1])
  if enlarge > 1:
    return None if backend() == 'cpu' and cells <= 4 else 'phases'
  if backend() != 'cpu' or dtype != jnp.float32 or len(set(taps)) > 1:
    return None
  if taps == [7, 7, 7]:
    return 'winograd7' if cells >= 32**2 and inputs >= 64 else None
  if taps == [3, 3, 3]:
    worth = cells >= 32**2 and inputs >= 32 and outputs >= 32
  else:
    least = 64 if cells <= 64**2 else 128
    worth = cells >= 16**2 and inputs >= 64 and outputs >= least
    worth = worth and taps == [3, 3]
  return 'winograd3' if worth else None


def conv(
  x: jax.Array,
  kernel: jax.Array,
  stride: int = 1,
  padding: Padding | None = None,
  form: str | None = None,
) -> jax.Array:
  """Correlation with zero padding.

  Args:
    x: [B, H, W, I] or [B, D, H, W, I].
    kernel: [kh, kw, I, O] or [kd, kh, kw, I, O].
    stride: the same for every axis.
    padding: zeros before and after, for every axis; None: k // 2 on all sides.
    form: one of `FORMS`; None: what `choose` says.

  Returns:
    [B, H', W', O] or [B, D', H', W', O].
  """
  if padding is None:
    padding = [(k // 2, k // 2) for k in kernel.shape[:-2]]
  form = form or choose(x.shape, kernel.shape, stride)
  return FORMS[form](x, kernel, stride, padding)


def _direct(
  x: jax.Array, kernel: jax.Array, stride: int, padding: Padding
) -> jax.Array:
  form = kernel_gradient_form(x.shape, kernel.shape, stride, padding)
  if form != 'plain':
    return kernel_gradient.conv(x, kernel, form)
  ndim = kernel.ndim - 2
  return jax.lax.conv_general_dilated(
    x, kernel, (stride,) * ndim, padding, dimension_numbers=_NAMES[ndim]
  )


def kernel_gradient_form(
  shape: Sequence[int],
  kernel: Sequence[int],
  stride: int = 1,
  padding: Padding | None = None,
) -> str:
  """How the gradient of a direct convolution's kernel is computed.

  It is a convolution with as many outputs as the layer has; on CPUs its inner
  loop wants 16 of them at a time. Where a large map becomes few channels it is
  two to three times faster with the roles of input and cotangent exchanged, or
  with channels of zeros added.

  Args:
    shape: of the input [B, (D,) H, W, I].
    kernel: shape of the kernel [(kd,) kh, kw, I, O].
    stride: of every axis.
    padding: of every axis; None: k // 2 on all sides.

  Returns:
    'plain', 'exchanged' or 'padded'.
  """
  *taps, inputs, outputs = kernel
  same = [(k // 2, k // 2) for k in taps]
  ours = len(taps) == 2 and stride == 1 and all(k % 2 for k in taps)
  if padding is not None:
    ours = ours and [tuple(p) for p in padding] == same
  if backend() != 'cpu' or not ours or math.prod(shape[1:3]) < 64**2:
    return 'plain'
  if outputs % 16 == 0 or outputs > 32:
    return 'plain'
  if inputs % 16 == 0 or inputs >= 16 >= 2 * outputs:
    return 'exchanged'
  return 'padded' if outputs > 16 else 'plain'


def _product(
  x: jax.Array, kernel: jax.Array, stride: int, padding: Padding
) -> jax.Array:
  """A 1 x 1 convolution as a matrix product."""
  del stride, padding
  return x @ kernel.reshape(kernel.shape[-2:])


def _depth_as_batch(
  x: jax.Array, kernel: jax.Array, stride: int, padding: Padding
) -> jax.Array:
  """One 2-D convolution per depth tap; all depths are one batch."""
  (before, after), *around = padding
  taps, depth = kernel.shape[0], x.shape[1] + before + after
  x = jnp.pad(x, ((0, 0), (before, after), (0, 0), (0, 0), (0, 0)))
  depth -= taps - 1
  out = 0.0
  for i in range(taps):
    rows = x[:, i : i + depth].reshape(-1, *x.shape[2:])
    out = out + _direct(rows, kernel[i], stride, around)
  return out.reshape(x.shape[0], depth, *out.shape[1:])


def _depth_as_outputs(
  x: jax.Array, kernel: jax.Array, stride: int, padding: Padding
) -> jax.Array:
  """One 2-D convolution for all depth taps, then a sum of shifted results."""
  pad, *around = padding
  taps, kh, kw, inputs, outputs = kernel.shape
  wide = kernel.transpose(1, 2, 3, 0, 4).reshape(kh, kw, inputs, -1)
  y = _direct(x.reshape(-1, *x.shape[2:]), wide, stride, around)
  y = y.reshape(*x.shape[:2], *y.shape[1:3], taps, outputs)
  return sum_depth_taps(y, pad)


def sum_depth_taps(y: jax.Array, pad: tuple[int, int]) -> jax.Array:
  """Shifted sum over taps: [B, D, H, W, kd, O] -> [B, D', H, W, O]."""
  taps = y.shape[4]
  y = jnp.pad(y, ((0, 0), tuple(pad), *((0, 0),) * 4))
  depth = y.shape[1] - taps + 1
  return sum(y[:, i : i + depth, :, :, i] for i in range(taps))


FORMS: dict[str, Callable[..., jax.Array]] = {
  'direct': _direct,
  'product': _product,
  'depth_as_batch': _depth_as_batch,
  'depth_as_outputs': _depth_as_outputs,
}


def _winograd7(x: jax.Array, kernel: jax.Array) -> jax.Array:
  return sum_depth_taps(winograd.conv7(x, kernel), (3, 3))


# Transform -> (of the kernel, convolution with the result).
TRANSFORMS = {
  'winograd3': (winograd.transform3, winograd.conv3),
  'winograd7': (winograd.transform7, _winograd7),
}


def conv_over_depth(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """2-D convolution to few outputs; the input's depth counts as channels.

  On CPUs one product makes every tap's result, then small maps are shifted and
  added; the volume is never moved.

  Args:
    x: [B, D, H, W, C].
    kernel: [k, k, C D, O], channel-major: c D + d.

  Returns:
    [B, H, W, O].
  """
  b, d, h, w, c = x.shape
  if backend() != 'cpu':
    return conv(x.transpose(0, 2, 3, 4, 1).reshape(b, h, w, c * d), kernel)
  size, outputs = kernel.shape[0], kernel.shape[-1]
  wide = kernel.reshape(size * size, c, d, outputs).transpose(2, 1, 0, 3)
  y = sum(
    x[:, i].reshape(b, h * w, c) @ wide[i].reshape(c, -1) for i in range(d)
  )
  pad = (size // 2, size // 2)
  y = jnp.pad(
    y.reshape(b, h, w, size, size, outputs),
    ((0, 0), pad, pad, (0, 0), (0, 0), (0, 0)),
  )
  return sum(
    y[:, i : i + h, j : j + w, i, j] for i in range(size) for j in range(size)
  )
