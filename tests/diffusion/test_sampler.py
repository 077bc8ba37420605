"""DDIM and guidance; golden trajectories are in tests/test_parity.py."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax.diffusion import schedule
from takin_jax.diffusion.sampler import ddim, guided
from takin_jax.diffusion.schedule import DiffusionConfig


def predict(x, t):
  """A network that sees noise in everything."""
  return 0.9 * x + 1e-4 * t


X = jax.random.normal(jax.random.key(0), (2, 6, 4))


@pytest.mark.parametrize('prediction', schedule.PREDICTIONS)
@pytest.mark.parametrize('options', [{}, dict(clip=3.0), dict(eta=1.0)])
def test_a_perfect_denoiser_gives_x0(prediction, options):
  cfg = DiffusionConfig(
    schedule='linear', prediction=prediction, sample_steps=4, **options
  )
  x0 = jax.random.uniform(jax.random.key(0), (2, 5, 3), minval=-1)
  alphas = jnp.asarray(schedule.alphas_cumprod(cfg))

  def perfect(x_t, t):
    a = alphas[t]
    eps = (x_t - jnp.sqrt(a) * x0) / jnp.sqrt(1 - a)
    return schedule.training_target(x0, eps, a, prediction)

  noise = jax.random.normal(jax.random.key(1), x0.shape)
  out = jax.jit(lambda x: ddim(perfect, x, cfg, jax.random.key(2)))(noise)
  np.testing.assert_allclose(out, x0, atol=1e-4)


def test_noise_needs_a_key():
  with pytest.raises(ValueError, match='key'):
    ddim(lambda x, t: x, jnp.zeros((1, 2)), DiffusionConfig(eta=0.5))


def test_eta_changes_the_path_and_the_key_decides():
  cfg = DiffusionConfig(schedule='linear', sample_steps=4, eta=1.0)
  first, again, other = (
    ddim(predict, X, cfg, jax.random.key(k)) for k in (0, 0, 1)
  )
  still = ddim(predict, X, dataclasses.replace(cfg, eta=0.0))
  np.testing.assert_array_equal(first, again)
  assert np.abs(first - other).max() > 0.01
  assert np.abs(first - still).max() > 0.01


def test_the_noise_of_a_clipped_sample_can_be_recomputed():
  cfg = DiffusionConfig(
    schedule='linear', sample_steps=4, clip=0.5, recompute_eps=True
  )
  plain = dataclasses.replace(cfg, recompute_eps=False)
  outs = [ddim(predict, 3 * X, c) for c in (cfg, plain)]
  assert np.abs(outs[0]).max() <= 0.5
  assert np.abs(outs[0] - outs[1]).max() > 1e-3


@pytest.mark.parametrize(
  'audio, emotion, evaluations', [(1.0, 1.0, 1), (2.0, 1.0, 2), (2.0, 3.0, 3)]
)
def test_guidance(audio, emotion, evaluations):
  batch, seen = 2, []
  conditions = {'a': jnp.array([1.0, 2.0]), 'e': jnp.array([10.0, 20.0])}

  def denoise(x, step, given, drop_audio, drop_emotion):
    seen.append(x.shape[0])
    assert step.shape == drop_audio.shape == drop_emotion.shape == x.shape[:1]
    a = jnp.where(drop_audio, 0.0, given['a'])
    e = jnp.where(drop_emotion, 0.0, given['e'])
    return x + (a + e + 0.1 * a * e)[:, None] + step[:, None]

  predict = guided(denoise, conditions, audio, emotion)
  x = jnp.array([[0.5], [0.7]])
  got = predict(x, jnp.int32(4))
  a, e = conditions['a'][:, None], conditions['e'][:, None]
  want = x + 4 + emotion * e + audio * (a + 0.1 * a * e)
  np.testing.assert_allclose(got, want, rtol=1e-5)
  assert seen == [evaluations * batch]
