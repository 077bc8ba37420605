"""Kernels transformed at load for the backend that will use them.

In: a module and its parameters for inference. Out: the same parameters with
some kernels replaced, as the table in `ops/conv.py` says. The result is for one
backend and takes more memory, so it is never stored.
"""

from typing import Any

from flax import linen as nn
import jax
import jax.numpy as jnp

from takin_jax.nn.blocks import Kernel
from takin_jax.ops import conv as conv_lib
from takin_jax.ops.phases import split_kernel

Tree = dict[str, Any]


def transform(module: nn.Module, params: Tree, *args: Any) -> tuple[Tree, Any]:
  """Transforms the kernels of one module.

  Args:
    module: the module; nothing is computed with it.
    params: its parameters.
    *args: arguments of its call, arrays or `ShapeDtypeStruct`.

  Returns:
    New parameters, and the shapes of what the call returns.
  """
  found = []

  def note(call, args, kwargs, context):
    if isinstance(context.module, Kernel):
      found.append((context.module, args[0].shape))
    return call(*args, **kwargs)

  with nn.intercept_methods(note):
    out = jax.eval_shape(module.apply, {'params': params}, *args)
  for kernel, shape in found:
    params = _replaced(params, kernel.path, kernel, shape)
  return params, out


def _replaced(
  params: Tree, path: tuple[str, ...], kernel: Kernel, shape: tuple[int, ...]
) -> Tree:
  """A copy of the tree with the parameters at a path transformed."""
  if path:
    first, *rest = path
    return {**params, first: _replaced(params[first], rest, kernel, shape)}
  if 'kernel' not in params or kernel.stride > 1 or kernel.over_depth:
    return params
  name = conv_lib.transform_for(
    shape, params['kernel'].shape, jnp.dtype(kernel.dtype), kernel.enlarge
  )
  if name is None:
    return params
  rest = {key: leaf for key, leaf in params.items() if key != 'kernel'}
  if name == 'phases':
    return {**rest, name: split_kernel(params['kernel'], kernel.enlarge)}
  make, _ = conv_lib.TRANSFORMS[name]
  return {**rest, name: make(params['kernel'])}
