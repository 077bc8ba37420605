"""The inference form of the SPADE blocks gives what the training form gives."""

from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax.nn.blocks import Conv
from takin_jax.nn.folding import fold
from takin_jax.nn.spade import SPADE_HIDDEN, SpadeResBlock
from takin_jax.nn.spade_folded import FoldedSpadeResBlock, fold_block
from takin_jax.ops.resize import nearest_upsample


@pytest.mark.parametrize('enlarge, features', [(1, 6), (2, 4)])
def test_folded_block(enlarge, features):
  x = jax.random.normal(jax.random.key(0), (2, 4, 4, 6))
  seg = jax.random.normal(jax.random.key(1), (2, 4, 4, 3))
  block = SpadeResBlock(features)
  large = nearest_upsample(x, enlarge)
  variables = jax.jit(block.init)(jax.random.key(2), large, seg)
  want = jax.jit(block.apply)(variables, large, seg)
  params = fold(variables['params'], variables['batch_stats'])
  params, shared = fold_block(params)
  norms = shared['bias'].size // SPADE_HIDDEN

  @jax.jit
  def folded(params, shared):
    conv = Conv(norms * SPADE_HIDDEN, enlarge=enlarge)
    hidden = nn.relu(conv.apply({'params': {'conv': shared}}, seg))
    return FoldedSpadeResBlock(features, enlarge).apply(
      {'params': params}, x, jnp.split(hidden, norms, -1)
    )

  np.testing.assert_allclose(folded(params, shared), want, atol=2e-5)
