import jax
import numpy as np
import pytest

from takin_jax.ops import phases
from takin_jax.ops.conv import conv
from takin_jax.ops.resize import nearest_upsample


@pytest.mark.parametrize('factor', [2, 3, 4])
@pytest.mark.parametrize('depth', [(), (5,)])
def test_equals_enlarging_first(factor, depth):
  x = jax.random.normal(jax.random.key(0), (2, *depth, 5, 6, 3))
  taps = (3,) * (2 + len(depth))
  kernel = jax.random.normal(jax.random.key(1), (*taps, 3, 4))
  want = conv(nearest_upsample(x, factor), kernel, form='direct')
  got = phases.conv_enlarged(x, phases.split_kernel(kernel, factor), factor)
  np.testing.assert_allclose(got, want, atol=3e-5)
