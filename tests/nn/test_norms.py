"""Batch and spectral norm: statistics in training, folded for inference."""

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict
import numpy as np
import pytest

from takin_jax import renderer
from takin_jax.nn.blocks import ConvNormAct, ResBlock3d
from takin_jax.nn.folding import fold
from takin_jax.nn.spectral import SpectralConv
from tests import tiny


def shaken(tree, seed=0):
  """Every leaf with noise of its own, so that no norm is the identity."""
  leaves, structure = jax.tree.flatten(tree)
  keys = jax.random.split(jax.random.key(seed), len(leaves))
  leaves = [
    x + 0.2 * jax.random.uniform(key, x.shape)
    for x, key in zip(leaves, keys, strict=True)
  ]
  return jax.tree.unflatten(structure, leaves)


@pytest.mark.parametrize(
  'module, shapes',
  [
    (lambda f: ConvNormAct(4, folded=f), [(2, 6, 6, 3)]),
    (lambda f: ConvNormAct(4, 1, ndim=3, folded=f), [(2, 3, 6, 6, 3)]),
    (lambda f: ResBlock3d(3, folded=f), [(2, 3, 4, 4, 3)]),
    (lambda f: SpectralConv(5, folded=f), [(2, 6, 6, 3)]),
  ],
  ids=['conv', 'conv3d', 'block', 'spectral'],
)
def test_folded_is_the_same(module, shapes):
  keys = jax.random.split(jax.random.key(1), len(shapes))
  args = [jax.random.normal(k, s) for k, s in zip(keys, shapes, strict=True)]
  variables = shaken(module(False).init(jax.random.key(0), *args))
  want = module(False).apply(variables, *args)
  params = fold(variables['params'], variables['batch_stats'])
  shape = jax.eval_shape(module(True).init, jax.random.key(0), *args)
  assert 'batch_stats' not in shape
  jax.tree.map(lambda a, b: None, params, shape['params'])  # same tree
  got = module(True).apply({'params': params}, *args)
  np.testing.assert_allclose(got, want, atol=2e-5)


def test_training_finds_the_largest_singular_value():
  x = jax.random.normal(jax.random.key(1), (1, 5, 5, 3))
  module = SpectralConv(4)
  variables = module.init(jax.random.key(0), x)
  for _ in range(60):
    _, new = module.apply(variables, x, True, mutable=['batch_stats'])
    variables = {**variables, **new}
  params = fold(variables['params'], variables['batch_stats'])
  matrix = np.asarray(params['kernel']).reshape(-1, 4)
  assert abs(np.linalg.svd(matrix)[1][0] - 1) < 1e-3


def test_the_renderer_folds_all_statistics():
  model, image = (
    tiny.smallest_renderer(),
    jnp.linspace(0, 1, 3072).reshape(1, 32, 32, 3),
  )
  params = shaken(renderer.init(model, jax.random.key(0)))
  assert set(params[renderer.STATS]) == {'appearance', 'warping', 'generator'}

  @jax.jit
  def frame(params):
    source = renderer.encode_source(model, params, image)
    return renderer.render(model, params, source, source.kp)

  want = frame(params)
  model, params = renderer.fold(model, params)
  assert renderer.STATS not in params
  model = ConfigDict(model)
  frame = jax.jit(frame.__wrapped__)
  np.testing.assert_allclose(frame(params), want, atol=2e-5)


def test_training_changes_the_statistics():
  model, image = (
    tiny.smallest_renderer(),
    jnp.linspace(0, 1, 3072).reshape(1, 32, 32, 3),
  )
  params = renderer.init(model, jax.random.key(0))

  @jax.jit
  def step(params):
    features, new = renderer.extract_features(model, params, image, True)
    kp = jnp.zeros((1, 3, 3))
    out = renderer.warp_and_generate(
      model, params, image, features, kp, kp, True
    )
    return new | out[renderer.STATS]

  new = step(params)
  old = params[renderer.STATS]
  assert jax.tree.structure(new) == jax.tree.structure(old)
  changed = jax.tree.map(lambda a, b: bool((a != b).any()), new, old)
  assert sum(jax.tree.leaves(changed)) > 0.8 * len(jax.tree.leaves(changed))
