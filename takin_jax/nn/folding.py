"""Norms that inference need not compute, folded into parameters.

In: a module's parameters and its collection `batch_stats`. Out: parameters
alone, for the same module with `folded=True`. Batch norm after a convolution
becomes part of it; before one it stays as a scale and a bias. Spectrally
normalised kernels are divided by their norm.
"""

from typing import Any

import jax
import jax.numpy as jnp

from takin_jax.nn.blocks import BATCH_NORM_EPS
from takin_jax.nn.spectral import spectral_norm

Tree = dict[str, Any]


def fold(params: Tree, stats: Tree) -> Tree:
  """Folds all norms of one module.

  Args:
    params: its parameters, float32.
    stats: its `batch_stats`: of `BatchNorm` and `SpectralConv`.

  Returns:
    New parameters; what has no statistics is as it was.
  """
  out = {
    name: fold(leaf, stats[name]) if name in stats else leaf
    for name, leaf in params.items()
  }
  if 'u' in stats:
    norm = spectral_norm(*map(jnp.asarray, (out['kernel'], *_uv(stats))))
    return {**out, 'kernel': out['kernel'] / norm}
  if 'mean' in stats:
    scale = out['scale'] * jax.lax.rsqrt(stats['var'] + BATCH_NORM_EPS)
    return {'scale': scale, 'bias': out['bias'] - stats['mean'] * scale}
  # ConvNormAct has conv and norm; ResBlock3d norm1, conv1, norm2, conv2.
  for conv, norm in (('conv', 'norm'), ('conv1', 'norm2')):
    if conv in out and norm in stats:
      out[conv] = {'conv': _into(out[conv]['conv'], out.pop(norm))}
  return out


def _uv(stats: Tree) -> tuple[jax.Array, jax.Array]:
  return stats['u'], stats['v']


def _into(conv: Tree, affine: Tree) -> Tree:
  """The convolution that does what `conv` and then scale and bias do."""
  return {
    'kernel': conv['kernel'] * affine['scale'],
    'bias': conv['bias'] * affine['scale'] + affine['bias'],
  }
