"""SPADE blocks as inference runs them.

In: parameters of `SpadeResBlock` whose spectral norms are folded. What changes,
exactly: scale and shift come from one convolution whose bias holds the 1 of
1 + gamma; the shared convolutions of several norms are one, outside the block;
the shortcut's 1x1 convolution is part of its shift's; and the map is normalised
before it is enlarged, which changes no statistics.
"""

from collections.abc import Sequence
from typing import Any

from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.nn.blocks import Conv, leaky_relu
from takin_jax.nn.spade import instance_norm
from takin_jax.ops.resize import nearest_upsample

Tree = dict[str, Any]
NORMS = ('norm0', 'norm1', 'norm_s')


class FoldedSpadeResBlock(nn.Module):
  """Residual block of two SPADE-normalised convolutions, for inference.

  Attributes:
    features: output channels.
    enlarge: repeats H and W of the input so often first.
    dtype: compute type.
  """

  features: int
  enlarge: int = 1
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, hidden: Sequence[jax.Array]) -> jax.Array:
    """Applies the block.

    Args:
      x: [B, H, W, C].
      hidden: activated outputs of the shared convolutions, for each norm one
        [B, H enlarge, W enlarge, hidden].

    Returns:
      [B, H enlarge, W enlarge, features].
    """
    c = x.shape[-1]

    def conv(name: str, y: jax.Array, features: int, **kwargs) -> jax.Array:
      return Conv(features, dtype=self.dtype, name=name, **kwargs)(y)

    def norm(name: str, y: jax.Array, hidden: jax.Array) -> jax.Array:
      both = conv(name, hidden, 2 * y.shape[-1])
      scale, shift = jnp.split(both, 2, -1)
      return leaky_relu(y * scale + shift)

    normal = nearest_upsample(instance_norm(x), self.enlarge)
    y = conv('conv0', norm('norm0', normal, hidden[0]), min(c, self.features))
    y = norm('norm1', instance_norm(y), hidden[1])
    y = conv('conv1', y, self.features)
    if c == self.features:
      return nearest_upsample(x, self.enlarge) + y
    short = normal * conv('scale_s', hidden[2], c)
    y = y + conv('shift_s', hidden[2], self.features)
    return y + conv('conv_s', short, self.features, kernel=1, use_bias=False)


def fold_block(block: Tree) -> tuple[Tree, Tree]:
  """Parameters of `FoldedSpadeResBlock`, and of the shared convolution.

  Args:
    block: of `SpadeResBlock`, without spectral norms.
  """
  norms = [name for name in NORMS if name in block]
  shared = join([block[name]['shared']['conv'] for name in norms])
  out = {name: {'conv': block[name]} for name in ('conv0', 'conv1')}
  for name in ('norm0', 'norm1'):
    gamma, beta = _modulation(block[name])
    out[name] = {'conv': join([gamma, beta])}
  if 'conv_s' in block:
    gamma, beta = _modulation(block['norm_s'])
    short = np.asarray(block['conv_s']['kernel'])
    out['conv_s'] = {'conv': {'kernel': short}}
    out['scale_s'] = {'conv': gamma}
    out['shift_s'] = {
      'conv': {k: np.asarray(leaf) @ short[0, 0] for k, leaf in beta.items()}
    }
  return out, shared


def _modulation(norm: Tree) -> tuple[Tree, Tree]:
  """Convolutions to 1 + gamma and to beta."""
  gamma, beta = norm['gamma']['conv'], norm['beta']['conv']
  return {**gamma, 'bias': np.asarray(gamma['bias']) + 1.0}, beta


def join(convs: Sequence[Tree]) -> Tree:
  """One convolution with the outputs of several, in turn."""
  return jax.tree.map(lambda *leaves: np.concatenate(leaves, -1), *convs)
