"""Blocks of training: one full step of the optimiser, both stages of nano.

Both sides start from the shipped parameters and see the same synthetic batch
in every step. What our step draws from its key (noise, diffusion steps,
dropped conditions, colours, crops, whose keypoints are used) the twin is
given, as our first step draws it. Dropout each side draws for itself; their
first steps are compared without it.
"""

import functools
from typing import Any

import jax
from ml_collections import ConfigDict
import numpy as np
import torch
from torch import Tensor

from benchmarks import training
from benchmarks.cases import CONFIGS, Case, Setting
from benchmarks.torch_reference import audio_loss, motion_loss
from benchmarks.torch_reference import renderer as twins_lib
from benchmarks.torch_reference.denoiser import Denoiser
from benchmarks.torch_reference.weights import load_named
from benchmarks.training import Batch, OurTraining
from takin_jax import face, renderer, rng
from takin_jax.config import build, load_config
from takin_jax.data.faces import geometry, mean_face
from takin_jax.diffusion import normalization
from takin_jax.diffusion.schedule import DiffusionConfig
from takin_jax.models.denoiser import DenoiserConfig
from takin_jax.models.hubert import HubertConfig
from takin_jax.ops import augment
from takin_jax.train.audio.noisy_rows import AudioLossConfig, noisy_rows
from takin_jax.train.audio.task import AudioTask
from takin_jax.train.motion import picture_terms
from takin_jax.train.motion.loss_config import MotionLossConfig
from takin_jax.train.motion.task import MotionTask

_SEED = 0
Params = dict[str, Any]


def train_motion(setting: Setting) -> Case:
  """Stage 1, phase `joint` of configs/nano_motion.py: the renderer learns."""
  config = as_twin(_shipped('nano_motion.py', *renderer.MODULES))
  return motion_case(setting, config)


def as_twin(config: ConfigDict) -> ConfigDict:
  """A config of stage 1 without the terms that the PyTorch twin lacks."""
  config.loss.update(dict(surroundings=0.0, paint=0.0, still=0.0))
  config.model.appearance.quiet = 1.0
  return config


def train_audio(setting: Setting) -> Case:
  """Stage 2, configs/nano_audio.py, on cached states of the speech."""
  groups = ('speech', 'denoiser', 'stats')
  config = _shipped('nano_audio.py', *groups)
  del config.model.articulation  # the PyTorch twin lacks the linear map
  return audio_case(setting, config)


def _shipped(name: str, *groups: str) -> ConfigDict:
  """A config that starts from the shipped parameters and reads no records."""
  config = load_config(CONFIGS / name)
  config.train.init_from = (f'nano:{",".join(groups)}',)
  config.data.records = ''
  return config


def motion_case(setting: Setting, config: ConfigDict) -> Case:
  """Both sides of a step of stage 1."""
  batch = motion_batch(config)
  run = OurTraining(config, batch)
  module = motion_module(config, run.first).to(setting.torch_device)
  sides = (module, config, *motion_inputs(setting, config, batch))
  return _case(run, training.difference(run, *sides), *sides)


def audio_case(setting: Setting, config: ConfigDict) -> Case:
  """Both sides of a step of stage 2."""
  batch = audio_batch(config)
  calm = config.copy_and_resolve_references()
  for part in (calm.model.denoiser.speech, calm.model.denoiser.motion):
    part.dropout = 0.0
  run = OurTraining(calm, batch)
  inputs = audio_inputs(setting, calm, run.first, batch)
  calm_twin, twin = (
    audio_module(c, run.first).to(setting.torch_device) for c in (calm, config)
  )
  found = training.difference(run, calm_twin, calm, inputs)
  if calm != config:
    run = OurTraining(config, batch)
  return _case(run, found, twin, config, inputs)


def _case(run: OurTraining, found: tuple[float, float], *sides: Any) -> Case:
  loss, gradients = found
  return Case(
    run.ours,
    training.theirs(*sides),
    lambda ours, theirs: loss,
    {'gradient_difference': gradients},
  )


def motion_batch(config: ConfigDict) -> Batch:
  """Coloured squares and mean faces that move a little."""
  draw = np.random.default_rng(_SEED)
  batch = _zeros(MotionTask(config).batch_spec())
  count, side = batch['source'].shape[:2]
  cells = draw.integers(0, 256, (count, 8, 8, 3), np.uint8)
  picture = cells.repeat(side // 8, 1).repeat(side // 8, 2)
  face = 0.8 * mean_face.load()[geometry.LANDMARKS]
  for name, shift in (('source', 0), ('driving', side // 32)):
    noise = draw.integers(-8, 9, picture.shape)
    moved = np.roll(picture, shift, 2) + noise
    batch[name] = moved.clip(0, 255).astype(np.uint8)
    x = face + 0.03 * draw.standard_normal((count, *face.shape))
    batch[f'{name}_x'] = x.astype(np.float32)
  batch['source_kp'][:] = face
  return batch


def motion_inputs(
  setting: Setting, config: ConfigDict, batch: Batch
) -> tuple[tuple[Tensor, ...], tuple[Any, Any]]:
  """The twin's tensors, and the corners of both crops, for the first step."""
  cfg = build(MotionLossConfig, config.loss)
  key = functools.partial(rng.fold_in_str, training.first_key(config))
  count, side = batch['source'].shape[:2]
  gain, offset = augment.random_colors(key('colors'), count, cfg.colors)
  centres = picture_terms.crop_centres(key('crops'), batch['driving_x'])
  corners = tuple(
    np.asarray(picture_terms.crop_corner(centre, side, size)).tolist()
    for centre, size in zip(
      centres, (cfg.perceptual_px, cfg.lpips_px), strict=True
    )
  )
  shape = (count, 1, 1)
  given = {
    **{k: np.moveaxis(batch[k], -1, 1) for k in ('source', 'driving')},
    'gain': np.moveaxis(np.asarray(gain), -1, 1),
    'offset': np.moveaxis(np.asarray(offset), -1, 1),
    'taught': jax.random.bernoulli(key('teacher'), cfg.teacher_share, shape),
  }
  tensors = (setting.tensor({**batch, **given}[k]) for k in motion_loss.INPUTS)
  return tuple(tensors), corners


def motion_module(config: ConfigDict, params: Params) -> motion_loss.MotionLoss:
  """The twin of stage 1 with our parameters."""
  return motion_loss.MotionLoss(
    twins_lib.load_small(config.model, params),
    build(MotionLossConfig, config.loss),
    MotionTask(config).constants(),
  )


def audio_batch(config: ConfigDict) -> Batch:
  """Noise for speech and motion; one window is shorter, one comes first."""
  draw = np.random.default_rng(_SEED)
  batch = _zeros(AudioTask(config).batch_spec())
  count = len(batch.pop('wave'))
  speech = build(HubertConfig, config.model.speech)
  frames = batch['motion'].shape[1]
  shape = (count, speech.layers + 1, 2 * frames, speech.dim)
  batch['states'] = draw.standard_normal(shape).astype(np.float16)
  exp = batch['emotion'].shape[1]
  scale = np.repeat([0.01, 0.05, 0.05, 5.0], [exp, 1, 3, 3])
  for name in ('motion', 'prefix', 'emotion', 'source_kp'):
    shape = batch[name].shape
    noise = scale[: shape[-1]] * draw.standard_normal(shape)
    batch[name] = noise.astype(np.float32)
  for name in ('frame_mask', 'head_mask', 'follows', 'prefix_mask'):
    batch[name][:] = True
  batch['frame_mask'][-1, -frames // 5 :] = False
  batch['prefix_mask'][0] = False
  return batch


def audio_inputs(
  setting: Setting, config: ConfigDict, params: Params, batch: Batch
) -> tuple[Tensor, ...]:
  """The twin's tensors for the first step."""
  cfg = build(AudioLossConfig, config.loss)
  diffusion = build(DiffusionConfig, config.diffusion)
  key = training.first_key(config)
  rows = noisy_rows(cfg, diffusion, params['stats'], batch, key, True)
  rows = [setting.tensor(rows[name]) for name in audio_loss.ROWS]
  return (setting.tensor(batch['states']), *rows)


def audio_module(config: ConfigDict, params: Params) -> audio_loss.AudioLoss:
  """The twin of stage 2 with our parameters."""
  cfg = build(AudioLossConfig, config.loss)
  speech = build(HubertConfig, config.model.speech)
  sizes = build(DenoiserConfig, config.model.denoiser)
  states = (speech.layers + 1, speech.dim)
  twin = Denoiser(sizes, states, sizes.motion_dim - face.HEAD_DIM)
  power = normalization.power(params['stats'])
  return audio_loss.AudioLoss(
    load_named(twin, params['denoiser']),
    build(DiffusionConfig, config.diffusion),
    cfg.terms,
    cfg.repeats,
    None if power is None else torch.tensor(np.asarray(power)),
  )


def _zeros(spec: dict[str, tuple[Any, Any]]) -> Batch:
  return {k: np.zeros(shape, dtype) for k, (shape, dtype) in spec.items()}
