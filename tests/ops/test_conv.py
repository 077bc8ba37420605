"""Every formulation against the plain convolution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax.ops import conv as conv_lib


def random(*shape, seed=0):
  return jax.random.normal(jax.random.key(seed), shape)


@pytest.mark.parametrize('form', ['depth_as_batch', 'depth_as_outputs'])
@pytest.mark.parametrize(
  'taps, padding',
  [((3, 3, 3), None), ((1, 3, 3), None), ((3, 2, 2), ((1, 1), (1, 0), (0, 1)))],
)
def test_depth_forms(form, taps, padding):
  x, kernel = random(2, 4, 5, 6, 3), random(*taps, 3, 4, seed=1)

  def loss(x, kernel, form):
    y = conv_lib.conv(x, kernel, 1, padding, form)
    return jnp.square(y).sum() / y.size, y

  run = jax.jit(
    jax.value_and_grad(loss, (0, 1), has_aux=True), static_argnums=2
  )
  got, want = (run(x, kernel, f) for f in (form, 'direct'))
  for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
    np.testing.assert_allclose(a, b, atol=2e-5)


def test_kernel_gradients():
  """Of large maps with few outputs: the same numbers, in another form."""
  forms = {  # kernel -> form
    (3, 3, 16, 5): 'exchanged',
    (5, 3, 32, 20): 'exchanged',
    (3, 3, 20, 2): 'exchanged',
    (3, 3, 5, 20): 'padded',
    (3, 3, 5, 7): 'plain',
    (3, 3, 5, 16): 'plain',
    (2, 2, 16, 5): 'plain',
  }
  for shape, form in forms.items():
    x, kernel = random(1, 64, 66, shape[2]), random(*shape, seed=1)

    def loss(x, kernel):
      return jnp.square(conv_lib.conv(x, kernel)).mean()

    run = jax.grad(loss, (0, 1))
    with conv_lib.for_backend('cpu'):
      assert conv_lib.kernel_gradient_form(x.shape, kernel.shape) == form
      got = jax.jit(run)(x, kernel)
    with conv_lib.for_backend('gpu'):
      assert conv_lib.kernel_gradient_form(x.shape, kernel.shape) == 'plain'
      want = run(x, kernel)
    for a, b in zip(got, want, strict=True):
      np.testing.assert_allclose(a, b, atol=1e-4)
  small = conv_lib.kernel_gradient_form((1, 32, 32, 16), (3, 3, 16, 5))
  strided = conv_lib.kernel_gradient_form((1, 64, 64, 16), (3, 3, 16, 5), 2)
  assert small == strided == 'plain'


@pytest.mark.parametrize('ndim', [2, 3])
def test_product(ndim):
  x, kernel = random(2, *(5, 6, 4)[:ndim], 3), random(*(1,) * ndim, 3, 4)
  want = conv_lib.conv(x, kernel, form='direct')
  np.testing.assert_allclose(conv_lib.conv(x, kernel), want, atol=1e-5)


@pytest.mark.parametrize(
  'shape', [(1, 5, 7, 3), (1, 72, 64, 2), (2, 3, 6, 8, 3)]
)
def test_winograd_3(shape):
  taps = (3,) * (len(shape) - 2)
  x, kernel = random(*shape), random(*taps, shape[-1], 4, seed=1)
  transform, conv = conv_lib.TRANSFORMS['winograd3']
  got = jax.jit(conv)(x, jnp.asarray(transform(kernel)))
  want = conv_lib.conv(x, kernel, form='direct')
  np.testing.assert_allclose(got, want, atol=1e-4)


@pytest.mark.parametrize('shape', [(2, 4, 6, 9, 3)])
def test_winograd_7(shape):
  x, kernel = random(*shape), random(7, 7, 7, 3, 2, seed=1)
  transform, conv = conv_lib.TRANSFORMS['winograd7']
  got = jax.jit(conv)(x, jnp.asarray(transform(kernel)))
  want = conv_lib.conv(x, kernel, form='direct')
  np.testing.assert_allclose(got, want, atol=3e-4)


@pytest.mark.parametrize('outputs', [1, 3])
def test_over_depth(outputs):
  x, kernel = random(2, 3, 6, 5, 4), random(5, 5, 12, outputs, seed=1)
  flat = x.transpose(0, 2, 3, 4, 1).reshape(2, 6, 5, 12)
  want = conv_lib.conv(flat, kernel, form='direct')
  got = conv_lib.conv_over_depth(x, kernel)
  np.testing.assert_allclose(got, want, atol=3e-5)


def test_the_backend_decides():
  volume, kernel = (1, 16, 64, 64, 142), (3, 3, 3, 142, 142)
  for name, form, transform in (
    ('cpu', 'depth_as_batch', 'winograd3'),
    ('gpu', 'direct', None),
  ):
    with conv_lib.for_backend(name):
      assert conv_lib.choose(volume, kernel) == form
      found = conv_lib.transform_for(volume, kernel, jnp.dtype('float32'))
      assert found == transform
  half = jnp.dtype('bfloat16')
  assert conv_lib.transform_for(volume, kernel, half) is None
