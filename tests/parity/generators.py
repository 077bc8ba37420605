"""The public motion generators of JoyVASA and Ditto, and their samplers."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.convert.apply import apply
from takin_jax.convert.generator_tables import DITTO, JOYVASA
from takin_jax.convert.generators import ditto_config, joyvasa_config, shapes
from takin_jax.diffusion import ditto, joyvasa
from takin_jax.models.ditto import Conditions, DittoDenoiser
from takin_jax.models.joyvasa import JoyvasaDenoiser
from tests import golden_case
from tests.golden_case import Case
from tests.parity.report import Check

ROUNDING = 10.0  # times the reference's own


def run(name: str, folder: Path) -> list[Check]:
  """All outputs of a case."""
  case = golden_case.load(name, folder)
  kind = _joyvasa if 'joyvasa' in name else _ditto
  return [
    Check(key, case.check(key, value), _limit(case, key))
    for key, value in kind(case).items()
  ]


def _limit(case: Case, key: str) -> float:
  """Ten times the rounding of the reference, but never less than float32's."""
  spec = case.spec['outputs'][key]
  size = max(abs(spec['min']), abs(spec['max']), 1.0)
  return max(ROUNDING * spec['f32_vs_f64_max_abs'], 1e-6 * size)


def _variables(case: Case, table: Any, module: Any) -> dict[str, Any]:
  """The case's weights as ours, none left over."""
  result = apply(table, case.weights, shapes(module))
  assert not result.errors, result.errors
  return result.variables


def _joyvasa(case: Case) -> dict[str, Any]:
  config = case.spec['config']
  cfg = joyvasa_config(case.weights, config['n_motions'])
  module = JoyvasaDenoiser(cfg)
  variables, x = _variables(case, JOYVASA, module), case.inputs
  steps = config['n_diff_steps']

  @jax.jit
  def call(*args: jax.Array) -> jax.Array:
    return module.apply(variables, *args)

  denoised = call(
    x['motion'],
    jnp.array([1, steps - 1]),
    x['audio_feat'],
    x['prev_motion'],
    x['prev_audio'],
  )
  encode = JoyvasaDenoiser.encode_speech
  speech, following = (
    module.apply(variables, x[key], method=encode)
    for key in ('hidden', 'hidden_next')
  )
  prefix = module.apply(variables, 1, method=JoyvasaDenoiser.first_prefix)
  nothing = module.apply(variables, 1, method=JoyvasaDenoiser.no_speech)
  shape = (1, cfg.window, cfg.motion_dim)
  noise = [case.random(f'input:noise{i}', shape) for i in range(2 * steps - 1)]

  def window(speech: jax.Array, prefix: Any, noise: Any) -> jax.Array:
    def denoise(x: jax.Array, step: jax.Array) -> tuple[jax.Array, jax.Array]:
      both = jnp.concatenate([speech, nothing])
      pair = (jnp.concatenate([p, p]) for p in prefix)
      out = call(jnp.concatenate([x, x]), jnp.full(2, step), both, *pair)[
        :, cfg.prefix :
      ]
      return out[:1], out[1:]

    first = jnp.asarray(first_noise)
    return joyvasa.sample(denoise, first, jnp.stack(noise), steps, 2.8)

  first_noise = noise[0]
  sample = window(speech, prefix, noise[1:steps])
  prefix = (sample[:, -cfg.prefix :], speech[:, -cfg.prefix :])
  following = window(following, prefix, noise[steps:])
  numbers = joyvasa.schedule(steps)
  return {
    'denoised': denoised,
    'audio_feat': speech,
    'sample': sample,
    'sample_next': following,
    'alpha_bars': numbers.alpha_bars.astype(np.float32),
    'sigmas': numbers.sigmas.astype(np.float32),
  }


def _ditto(case: Case) -> dict[str, Any]:
  config = case.spec['config']
  cfg = ditto_config(case.weights, config['num_heads'])
  module = DittoDenoiser(cfg)
  variables, x = _variables(case, DITTO, module), case.inputs

  @jax.jit
  def call(*args: Any) -> jax.Array:
    return module.apply(variables, *args)

  cond = module.apply(variables, x['cond'], method=DittoDenoiser.encode)
  nothing = module.apply(variables, 2, method=DittoDenoiser.nothing)
  step = jnp.array([10, 900])
  heard, unheard = (
    call(x['x'], step, x['cond_frame'], c) for c in (cond, nothing)
  )
  x0 = unheard + 2.0 * (heard - unheard)
  alpha = ditto.alphas_cumprod()
  noisy, clean = (
    jnp.asarray(x, jnp.float32)[:, None, None]
    for x in ditto.noise_factors(alpha[np.array([10, 900])])
  )

  def denoise(x_t: jax.Array, step: jax.Array) -> tuple[jax.Array, jax.Array]:
    pair: list[Conditions] = [
      jax.tree.map(lambda a: a[:1], c) for c in (cond, nothing)
    ]
    first = x['cond_frame'][:1]
    return tuple(call(x_t, step[None], first, c) for c in pair)

  shape = (1, cfg.window, cfg.motion_dim)
  noise = [case.random(f'input:noise{i}', shape) for i in range(10)]
  sample = ditto.sample(denoise, noise[-1], jnp.stack(noise[:-1]))
  return {
    'conditional': heard,
    'unconditional': unheard,
    'x_start': x0,
    'noise': noisy * x['x'] - clean * x0,
    'sample': sample,
    'alphas_cumprod': alpha.astype(np.float32),
  }
