"""Norms that inference need not compute, folded into parameters.

In: a module's parameters and its collection `batch_stats`. Out: parameters
alone, for the same module with `folded=True`. Batch norm after a convolution
becomes part of it; before one it stays as a scale and a bias. Spectrally
normalised kernels are divided by their norm. All on the host, in NumPy: there
is nothing to compile.
"""

from typing import Any

import numpy as np

from takin_jax.nn.blocks import BATCH_NORM_EPS

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
    kernel = np.asarray(out['kernel'])
    matrix = kernel.reshape(-1, kernel.shape[-1])
    norm = np.asarray(stats['v']) @ (matrix @ np.asarray(stats['u']))
    return {**out, 'kernel': kernel / norm}
  if 'mean' in stats:
    scale = out['scale'] / np.sqrt(stats['var'] + BATCH_NORM_EPS)
    scale = np.asarray(scale, np.float32)
    bias = np.asarray(out['bias'] - stats['mean'] * scale)
    return {'scale': scale, 'bias': bias}
  # ConvNormAct has conv and norm; ResBlock3d norm1, conv1, norm2, conv2.
  for conv, norm in (('conv', 'norm'), ('conv1', 'norm2')):
    if conv in out and norm in stats:
      out[conv] = {'conv': _into(out[conv]['conv'], out.pop(norm))}
  return out


def _into(conv: Tree, affine: Tree) -> Tree:
  """The convolution that does what `conv` and then scale and bias do."""
  return {
    'kernel': np.asarray(conv['kernel']) * affine['scale'],
    'bias': np.asarray(conv['bias']) * affine['scale'] + affine['bias'],
  }
