import jax
import numpy as np
import pytest

from takin_jax.ops.conv import for_backend
from takin_jax.ops.depthwise import depthwise_conv1d, depthwise_conv2d


@pytest.mark.parametrize('taps', [4, 5])
def test_equals_the_native_convolution(taps):
  rng = np.random.default_rng(0)
  x = rng.normal(size=(2, 9, 4)).astype(np.float32)
  kernel = rng.normal(size=(taps, 4)).astype(np.float32)
  native = jax.lax.conv_general_dilated(
    x,
    kernel[:, None],
    (1,),
    [(taps // 2, (taps - 1) // 2)],
    dimension_numbers=('NHC', 'HIO', 'NHC'),
    feature_group_count=4,
  )
  np.testing.assert_allclose(
    depthwise_conv1d(x, kernel), native, rtol=1e-5, atol=1e-5
  )


def test_2d_forms_agree():
  x = jax.random.normal(jax.random.key(0), (2, 6, 5, 4))
  kernel = jax.random.normal(jax.random.key(1), (3, 5, 4))
  with for_backend('gpu'):
    native = depthwise_conv2d(x, kernel)
  np.testing.assert_allclose(depthwise_conv2d(x, kernel), native, atol=1e-5)
