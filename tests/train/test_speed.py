import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax.train import speed


def device(kind, memory=None):
  return types.SimpleNamespace(device_kind=kind, memory_stats=lambda: memory)


def test_known_and_unknown_devices():
  assert speed.peak_tflops(device('NVIDIA H200')) == 989
  assert speed.peak_tflops(device('NVIDIA A100-SXM4-80GB')) == 312
  assert speed.peak_tflops(device('NVIDIA GeForce RTX 4090')) == 165.2
  assert speed.peak_tflops(device('cpu')) == 0
  assert speed.memory_gib(device('cpu')) == 0
  assert speed.memory_gib(device('x', {'peak_bytes_in_use': 2**31})) == 2


def test_flops_of_a_matrix_product():
  x = jnp.ones((8, 16))
  lowered = jax.jit(lambda x: x @ x.T).lower(x)
  assert speed.flops(lowered) == pytest.approx(2 * 8 * 8 * 16, rel=0.1)


def test_rates():
  pictures = {'source': np.zeros((4, 8, 8, 3), np.uint8)}
  devices = [device('NVIDIA H100')] * 2
  rates = speed.Speed(pictures, 989e12, devices).rates(0.5)
  assert rates['images_per_s'] == 2
  assert rates['tflops'] == pytest.approx(494.5)
  assert rates['mfu'] == pytest.approx(0.25)
  sound = {'wave': np.zeros((4, 8), np.float32)}
  rates = speed.Speed(sound, 1e12, [device('cpu')]).rates(0.5)
  assert rates['windows_per_s'] == 2 and 'mfu' not in rates
  rates = speed.Speed(sound, 1e12, [device('cpu')], peak=2.0).rates(0.5)
  assert rates['mfu'] == pytest.approx(0.25)
