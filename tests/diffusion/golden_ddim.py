"""The golden DDIM arrays and the model that made them."""

import json

import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.diffusion import schedule
from takin_jax.diffusion.schedule import DiffusionConfig
from tests.golden_case import FOLDER

RUNS = json.loads((FOLDER / 'ddim/ddim.json').read_text())['runs']
with np.load(FOLDER / 'ddim/ddim.npz') as file:
  ARRAYS = dict(file)

SCHEDULES = {
  'linear': 'linear',
  'scaled_linear': 'scaled_linear',
  'squaredcos_cap_v2': 'cosine',
}
PREDICTIONS = {'epsilon': 'eps', 'sample': 'x0', 'v_prediction': 'v'}


def config(name: str) -> DiffusionConfig:
  """The config of a run such as 'linear/leading/10/epsilon/clip'."""
  kind, spacing, steps, prediction, *clip = name.split('/')
  return DiffusionConfig(
    schedule=SCHEDULES[kind],
    spacing=spacing,
    sample_steps=int(steps),
    prediction=PREDICTIONS[prediction],
    clip=1.0 if clip else 0.0,
    recompute_eps=False,
  )


def predictor(cfg: DiffusionConfig):
  """The posterior mean of data ~ N(b, 0.5^2), seen through a small mixing."""
  alphas = jnp.asarray(schedule.alphas_cumprod(cfg))
  mixing, b = ARRAYS['A'], ARRAYS['b']

  def predict(x: jax.Array, t: jax.Array) -> jax.Array:
    a = alphas[t]
    y = x + 0.05 * x @ mixing
    x0 = (jnp.sqrt(a) * 0.25 * y + (1 - a) * b) / (0.25 * a + 1 - a)
    eps = (y - jnp.sqrt(a) * x0) / jnp.sqrt(1 - a)
    v = jnp.sqrt(a) * eps - jnp.sqrt(1 - a) * x0
    return {'eps': eps, 'x0': x0, 'v': v}[cfg.prediction]

  return predict
