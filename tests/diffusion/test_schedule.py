import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax.diffusion import schedule
from takin_jax.diffusion.schedule import DiffusionConfig
from tests.golden_case import FOLDER

SCHEDULES = {
  'linear': 'linear',
  'scaled_linear': 'scaled_linear',
  'squaredcos_cap_v2': 'cosine',
}


@pytest.fixture(scope='module')
def golden():
  with np.load(FOLDER / 'ddim/ddim.npz') as arrays:
    return dict(arrays)


@pytest.mark.parametrize('theirs, ours', SCHEDULES.items())
def test_golden_schedules(golden, theirs, ours):
  alphas = schedule.alphas_cumprod(DiffusionConfig(schedule=ours))
  assert alphas.dtype == np.float32
  want = golden[f'alphas_cumprod/{theirs}']
  np.testing.assert_allclose(alphas, want, rtol=1e-5, atol=1e-6)
  noisy = schedule.add_noise(
    golden['x_0'], golden['eps'], alphas[np.array([3, 977])]
  )
  np.testing.assert_allclose(noisy, golden[f'add_noise/{theirs}'], atol=2e-6)


def test_every_step_has_less_signal():
  for name in schedule.SCHEDULES:
    alphas = schedule.alphas_cumprod(DiffusionConfig(schedule=name))
    assert (np.diff(alphas) < 0).all()
    assert 0 < alphas[-1] < 0.01 < 0.99 < alphas[0] < 1


@pytest.mark.parametrize('prediction', schedule.PREDICTIONS)
def test_what_is_predicted_gives_x0_and_noise(prediction):
  rng = np.random.default_rng(0)
  x0, noise = rng.normal(size=(2, 3, 5, 4))
  alpha = jnp.array([0.9, 0.5, 0.1])
  x_t = schedule.add_noise(x0, noise, alpha)
  target = schedule.training_target(x0, noise, alpha, prediction)
  got = schedule.to_x0_eps(target, x_t, alpha, prediction)
  np.testing.assert_allclose(got[0], x0, atol=1e-5)
  np.testing.assert_allclose(got[1], noise, atol=1e-5)


def test_timesteps():
  assert schedule.timesteps(1000, 4, 'leading')[0].tolist() == [
    *(750, 500, 250, 0)
  ]
  at, to = schedule.timesteps(1000, 4, 'trailing')
  assert at.tolist() == [999, 749, 499, 249]
  assert to.tolist() == [749, 499, 249, -1]
  at, _ = schedule.timesteps(1000, 3, 'linspace')
  assert at.tolist() == [999, 500, 0]
  for n in range(1, 100):
    for spacing in schedule.SPACINGS:
      at, _ = schedule.timesteps(100, n, spacing)
      assert len(at) == n and at.min() >= 0 and at.max() < 100


@pytest.mark.parametrize('steps', [0, 1001])
def test_impossible_steps(steps):
  with pytest.raises(ValueError, match=f'{steps} steps'):
    schedule.timesteps(1000, steps, 'trailing')


@pytest.mark.parametrize('field', ['schedule', 'prediction', 'spacing'])
def test_bad_config(field):
  with pytest.raises(ValueError, match=field):
    dataclasses.replace(DiffusionConfig(), **{field: 'other'})
