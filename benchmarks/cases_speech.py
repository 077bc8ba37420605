"""Blocks of the speech side, and everything together.

A window is 5 s: 125 frames of motion from 250 states of the speech encoder.
"""

from collections.abc import Callable
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from torch import Tensor

from benchmarks import cases
from benchmarks.cases import Case, Setting, largest
from benchmarks.programs import Cost, Theirs, compile_ours, traced_cost
from benchmarks.torch_reference import hubert as their_hubert
from benchmarks.torch_reference.denoiser import (
  Conditions,
  Denoiser,
)
from benchmarks.torch_reference.denoiser import (
  sample_motion as their_sampler,
)
from benchmarks.torch_reference.weights import load_named, load_ours, to_ours
from takin_jax import face
from takin_jax.config import build
from takin_jax.convert import hubert as hubert_tables
from takin_jax.diffusion.motion import sample_motion
from takin_jax.diffusion.schedule import DiffusionConfig
from takin_jax.models.denoiser import DenoiserConfig, MotionDenoiser
from takin_jax.models.hubert import Hubert, HubertConfig

_SEED = 0
# Gives 250 states: 5 s, and the rest of the last state's receptive field.
SAMPLES = 80_080
NUM_KP = 21
# What random weights make of noise is this much too large.
_RANDOM_GAIN = 60.0

Params = dict[str, Any]


class Speech:
  """Speech encoder and denoiser on both sides, with the same weights.

  Attributes:
    diffusion: steps and guidance.
    params: our parameters, folded as the engine's, on the device.
    wave: [1, SAMPLES] sound.
    conditions: of the motion, but for speech.
    states_module: HuBERT as a module from sound to all states.
    their_denoiser: the twin.
    mean: [M] of the motion's numbers.
    std: [M] their deviation.
  """

  def __init__(self, setting: Setting, **diffusion: Any):
    self.setting = setting
    config, params = cases.load_model(setting.size)
    model = {k: config['model'][k] for k in ('speech', 'denoiser')}
    self.diffusion = build(
      DiffusionConfig, {**config['diffusion'], **diffusion}
    )
    encoder, denoiser, params = _pair(model, params)
    self.mean, self.std = params.pop('stats')
    model, params = cases.for_inference({'model': model}, params, setting.dtype)
    self.hubert_cfg = build(HubertConfig, model['speech'])
    dtype = jnp.dtype(setting.dtype)
    self.hubert = Hubert(self.hubert_cfg, dtype)
    self.denoiser = MotionDenoiser(
      build(DenoiserConfig, model['denoiser']), dtype
    )
    self.params = setting.put(params)
    target = dict(device=setting.torch_device, dtype=setting.torch_dtype)
    self.states_module = their_hubert.States(encoder, self.hubert_cfg)
    for module in (self.states_module, denoiser):
      module.to(**target).eval().requires_grad_(False)
    self.their_denoiser = denoiser
    rng = np.random.default_rng(_SEED)
    self.wave = setting.put(_sound(rng))
    self.conditions = setting.put(
      _conditions(rng, self.diffusion.prefix, len(self.mean))
    )
    self.key = jax.random.key(_SEED)

  def hear(self, params: Params, wave: jax.Array) -> jax.Array:
    """Our states [L + 1, 1, 250, E]."""
    return self.hubert.apply({'params': params['speech']}, wave)

  def sample(self, params: Params, states: jax.Array) -> jax.Array:
    """Our motion [1, 125, M], normalised."""
    return sample_motion(
      self.denoiser,
      params['denoiser'],
      states,
      self.conditions,
      jnp.zeros(1, bool),
      self.diffusion,
      self.key,
    )

  def their_motion(self, wrap: Callable) -> Callable[[Tensor], Tensor]:
    """PyTorch's motion from states; the parts that repeat are wrapped."""
    tensor = self.setting.tensor
    conditions = Conditions(
      **{k: tensor(x) for k, x in self.conditions.items()}
    )
    shape = (1, self.diffusion.window, len(self.mean))
    noise = np.array(jax.random.normal(jax.random.split(self.key)[1], shape))
    noise[..., face.LIPS] *= self.diffusion.lip_noise
    encode = wrap(self.their_denoiser.encode_speech)
    denoise = wrap(self.their_denoiser.denoise)
    noise = tensor(noise)

    def motion(states: Tensor) -> Tensor:
      return their_sampler(
        encode, denoise, states, conditions, noise, self.diffusion
      )

    return motion

  def loop_cost(self, states: jax.Array) -> Cost:
    """What XLA's count, which sees one step of a loop, leaves out."""
    once = traced_cost(self.sample, self.params, states)
    encode = functools.partial(self.denoiser.apply, method='encode_speech')
    before = traced_cost(encode, {'params': self.params['denoiser']}, states)
    return (self.diffusion.sample_steps - 1) * (once - before)


def _pair(model: Params, params: Params) -> tuple[Any, Denoiser, Params]:
  """Twins of speech encoder and denoiser, and our parameters and stats."""
  cfg = build(HubertConfig, model['speech'])
  encoder = their_hubert.build(cfg)
  if params:
    load_ours(hubert_tables.TABLE, encoder, {'params': params['speech']})
    stats = (params['stats']['mean'], params['stats']['std'])
    ours = {k: params[k] for k in ('speech', 'denoiser')}
  else:
    their_hubert.shake(encoder, _SEED)
    wanted = hubert_tables.shapes(cfg)
    speech = to_ours(hubert_tables.TABLE, encoder, wanted)['params']
    ours = {'speech': speech, 'denoiser': _random_denoiser(model, cfg)}
    scale = np.repeat([0.01, 0.05, 0.05, 5.0], [3 * NUM_KP, 1, 3, 3])
    mean = np.repeat([0.0, 1.0, 0.0], [3 * NUM_KP, 1, 6])
    stats = (np.float32(mean), np.float32(scale / _RANDOM_GAIN))
  sizes = build(DenoiserConfig, model['denoiser'])
  twin = Denoiser(sizes, (cfg.layers + 1, cfg.dim), 3 * NUM_KP)
  load_named(twin, ours['denoiser'])
  return encoder, twin, {**ours, 'stats': stats}


def _random_denoiser(model: Params, speech: HubertConfig) -> Params:
  """Parameters as training begins, none of them at a neutral value."""
  cfg = build(DenoiserConfig, model['denoiser'])
  x, kp = jnp.zeros((1, 4, cfg.motion_dim)), jnp.zeros((1, 3 * NUM_KP))
  states = jnp.zeros((speech.layers + 1, 1, 8, speech.dim))
  mask = jnp.ones((1, 4), bool)
  init = jax.jit(MotionDenoiser(cfg).init)
  args = (x, jnp.zeros(1, int), states, kp, kp, x, mask)
  params = init(jax.random.key(_SEED), *args)['params']
  rng = np.random.default_rng(_SEED)
  return jax.tree.map(
    lambda p: p + 0.02 * rng.standard_normal(p.shape, np.float32), params
  )


def _sound(rng: np.random.Generator) -> np.ndarray:
  """[1, SAMPLES] noise that swells and fades like syllables."""
  envelope = np.sin(np.arange(SAMPLES) * (np.pi * 4 / 16_000)) ** 2
  return np.float32(0.1 * envelope * rng.standard_normal((1, SAMPLES)))


def _conditions(rng: np.random.Generator, prefix: int, dim: int) -> Params:
  """The fields of `Conditions`, but for speech."""

  def normal(*shape: int) -> np.ndarray:
    return np.float32(rng.standard_normal(shape))

  return {
    'emotion': normal(1, 3 * NUM_KP),
    'source_kp': 0.3 * normal(1, 3 * NUM_KP),
    'prefix': normal(1, prefix, dim),
    'prefix_mask': np.ones((1, prefix), bool),
  }


def _to_numpy(x: Tensor) -> np.ndarray:
  return x.float().cpu().numpy()


def hubert(setting: Setting) -> Case:
  """5 s of sound -> all hidden states."""
  s = Speech(setting)
  return Case(
    compile_ours(s.hear, s.params, s.wave),
    Theirs(lambda wrap: wrap(s.states_module), (setting.tensor(s.wave),)),
    lambda a, b: largest(a, _to_numpy(b)),
  )


def denoiser(setting: Setting) -> Case:
  """Speech states -> 5 s of motion in 10 steps."""
  s = Speech(setting, sample_steps=10)
  states = jax.jit(s.hear)(s.params, s.wave)
  ours = compile_ours(s.sample, s.params, states)
  return Case(
    ours.costing(s.loop_cost(states)),
    Theirs(s.their_motion, (setting.tensor(states),)),
    lambda a, b: largest(a, _to_numpy(b)),
    {'steps': 10},
  )


def audio_motion(setting: Setting) -> Case:
  """5 s of sound -> motion, in the model's own number of steps."""
  s = Speech(setting)

  def make(wrap: Callable) -> Callable:
    states, motion = wrap(s.states_module), s.their_motion(wrap)
    return lambda wave: motion(states(wave))

  states = jax.eval_shape(s.hear, s.params, s.wave)
  return Case(
    compile_ours(
      lambda params, wave: s.sample(params, s.hear(params, wave)),
      s.params,
      s.wave,
    ).costing(s.loop_cost(states)),
    Theirs(make, (setting.tensor(s.wave),)),
    lambda a, b: largest(a, _to_numpy(b)),
    {'steps': s.diffusion.sample_steps},
  )
