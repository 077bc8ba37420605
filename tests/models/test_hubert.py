"""HuBERT on its own; golden parity is in tests/test_parity.py."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax.models.hubert import Hubert, HubertConfig, normalize_wave

_SIZES = dict(
  conv_dims=(8,) * 7,
  dim=16,
  layers=1,
  heads=2,
  ffn_dim=24,
  pos_kernel=4,
  pos_groups=2,
)
LARGE = HubertConfig(**_SIZES)
BASE = HubertConfig(
  **_SIZES, conv_norm='group', norm_first=False, conv_bias=False
)
MEL = HubertConfig(
  **(_SIZES | dict(conv_dims=(12, 8), pos_groups=16)),
  conv_kernels=(3, 2),
  conv_strides=(1, 2),
  mel_bands=10,
)
SAMPLES = 3280  # 10 frames


@functools.cache
def made(cfg):
  """Sound and variables."""
  wave = jax.random.normal(jax.random.key(0), (1, SAMPLES))
  return wave, jax.jit(Hubert(cfg).init)(jax.random.key(1), wave)


@functools.partial(jax.jit, static_argnums=0)
def run(model, variables, *inputs):
  return model.apply(variables, *inputs)


@pytest.mark.parametrize(
  'cfg', [LARGE, BASE, MEL], ids=['large', 'base', 'mel']
)
def test_shapes_gradients_and_jit(cfg):
  wave, variables = made(cfg)

  def loss(variables, wave):
    states = Hubert(cfg).apply(variables, wave)
    return jnp.square(states[..., 0]).mean(), states

  (value, states), grads = jax.jit(jax.value_and_grad(loss, has_aux=True))(
    variables, wave
  )
  assert states.shape == (2, 1, 10, 16) and states.dtype == jnp.float32
  if cfg is LARGE:  # op by op takes long
    np.testing.assert_allclose(value, loss(variables, wave)[0], rtol=1e-5)
  assert all(np.isfinite(g).all() for g in jax.tree.leaves(grads))


def test_frame_count():
  counts = [
    HubertConfig().frame_count(s) for s in (400, 16_000, 80_000, 80_080)
  ]
  assert counts == [1, 49, 249, 250]
  for samples in range(400, 2000, 79):
    assert MEL.frame_count(samples) == HubertConfig().frame_count(samples)


@pytest.mark.parametrize('cfg', [LARGE, MEL], ids=['large', 'mel'])
def test_padding_does_not_change_the_rest(cfg):
  wave, variables = made(cfg)
  padded = jnp.pad(wave, ((0, 0), (0, 1600)), constant_values=0.3)
  mask = jnp.arange(padded.shape[1])[None] < SAMPLES
  together = run(Hubert(cfg), variables, padded, mask)
  alone = run(Hubert(cfg), variables, wave)
  np.testing.assert_allclose(together[:, :, :10], alone, atol=1e-4)


def test_loudness_does_not_matter():
  wave, variables = made(LARGE)
  quiet, loud = (
    run(Hubert(LARGE), variables, w) for w in (0.1 * wave + 0.2, wave)
  )
  np.testing.assert_allclose(quiet, loud, atol=1e-3)


def test_the_raw_last_state_lacks_the_norm():
  wave, variables = made(LARGE)
  raw = run(Hubert(LARGE, raw_last=True), variables, wave)
  states = run(Hubert(LARGE), variables, wave)
  np.testing.assert_allclose(raw[0], states[0], atol=1e-6)
  np.testing.assert_allclose(states[-1].mean(-1), 0, atol=1e-5)
  assert np.abs(raw[-1].mean(-1)).max() > 1e-3


def test_normalize_wave_sees_the_sound_only():
  wave = np.array([[1.0, 3.0, 9.0], [1.0, 2.0, 3.0]])
  mask = np.array([[True, True, False], [True, True, True]])
  out = normalize_wave(wave, mask)
  np.testing.assert_allclose(out[0], [-1, 1, 0], atol=1e-6)
  np.testing.assert_allclose(out[1], np.sqrt(1.5) * np.array([-1, 0, 1]), 1e-6)
  np.testing.assert_array_equal(normalize_wave(jnp.zeros((1, 8))), 0)


def test_bfloat16_is_close():
  wave, variables = made(LARGE)
  half = run(Hubert(LARGE, jnp.bfloat16), variables, wave)
  assert half.dtype == jnp.float32
  want = run(Hubert(LARGE), variables, wave)
  assert np.abs(half - want).max() < 0.4


def test_bad_config():
  with pytest.raises(ValueError, match='batch'):
    HubertConfig(conv_norm='batch')
