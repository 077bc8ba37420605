"""Speech to motion as pure functions: encoder, denoiser, units and sampler.

What `renderer.py` is for stage 1. All functions take a config with the blocks
`model` (entries `speech`, `denoiser` and `dtype`) and `diffusion`, or the
former alone, and parameters by group: `speech`, `denoiser`, and `stats` for
the units that the denoiser works in.
"""

from typing import Any

from flax import struct
import jax
import jax.numpy as jnp

from takin_jax import rng
from takin_jax.config import build
from takin_jax.diffusion import normalization
from takin_jax.diffusion.motion import sample_motion
from takin_jax.diffusion.schedule import DiffusionConfig
from takin_jax.face import HEAD_DIM, SAMPLES_PER_FRAME
from takin_jax.models.articulation import Articulation, ArticulationConfig
from takin_jax.models.denoiser import (
  Conditions,
  DenoiserConfig,
  MotionDenoiser,
)
from takin_jax.models.hubert import Hubert, HubertConfig

Params = dict[str, Any]

# The last speech state of a window reaches so far behind its end.
OVERLAP_SAMPLES = 80
ARTICULATION = 'articulation'  # a block of the model and its group


@struct.dataclass
class Context:
  """What motion is generated for, besides the speech.

  Attributes:
    source_kp: [B, K, 3] canonical keypoints of the portrait.
    emotion: [B, 3K] mean expression.
    has_emotion: [B] bool, False: as if no emotion were given.
    prefix: [B, P, M] motion right before, in the denoiser's units.
    prefix_mask: [B, P] bool, False where there was none.
  """

  source_kp: jax.Array
  emotion: jax.Array
  has_emotion: jax.Array
  prefix: jax.Array
  prefix_mask: jax.Array


def init_speech(model: Any, key: jax.Array) -> Params:
  """Fresh parameters of the speech encoder, as a group."""
  wave = jnp.zeros((1, SAMPLES_PER_FRAME))
  return {'speech': _speech_encoder(model).init(key, wave)['params']}


def init(config: Any, key: jax.Array) -> Params:
  """Fresh parameters of speech encoder and denoiser, by group."""
  params = init_speech(config.model, rng.fold_in_str(key, 'speech'))
  denoiser, frames = _denoiser(config.model), 4
  motion_dim = denoiser.cfg.motion_dim
  prefix = build(DiffusionConfig, config.diffusion).prefix
  wave = jnp.zeros(frames * SAMPLES_PER_FRAME)
  variables = denoiser.init(
    rng.fold_in_str(key, 'denoiser'),
    jnp.zeros((1, frames, motion_dim)),
    jnp.zeros(1, jnp.int32),
    encode_window(config.model, params, wave),
    emotion=jnp.zeros((1, motion_dim - HEAD_DIM)),
    source_kp=jnp.zeros((1, motion_dim - HEAD_DIM)),
    prefix=jnp.zeros((1, prefix, motion_dim)),
    prefix_mask=jnp.zeros((1, prefix), bool),
  )
  params |= {'denoiser': variables['params']}
  if ARTICULATION in config.model:
    cfg = build(ArticulationConfig, config.model[ARTICULATION])
    last = encode_window(config.model, params, wave)[-1]
    key = rng.fold_in_str(key, 'articulation')
    variables = Articulation(cfg).init(key, last)
    params[ARTICULATION] = variables['params']
  return params


def encode_speech(
  model: Any,
  params: Params,
  wave: jax.Array,
  mask: jax.Array | None = None,
  dropout: jax.Array | None = None,
) -> jax.Array:
  """Hidden states of all layers of the speech encoder.

  Args:
    model: config block with `speech` and, if not float32, `dtype`.
    params: has the group `speech`.
    wave: [B, S] 16 kHz sound in [-1, 1].
    mask: [B, S] bool, True where there is sound, padding at the end.
    dropout: key of the dropout in training; None: no dropout.

  Returns:
    [L + 1, B, T, E] float32, 50 a second.
  """
  return _speech_encoder(model).apply(
    {'params': params['speech']}, wave, mask, **_training(dropout)
  )


def encode_window(model: Any, params: Params, wave: jax.Array) -> jax.Array:
  """[640 T] samples -> [L + 1, 1, 2 T, E] states: two for every frame."""
  wave = jnp.pad(wave, (0, OVERLAP_SAMPLES))
  return encode_speech(model, params, wave[None])


def mix_states(
  model: Any,
  params: Params,
  states: jax.Array,
  frame_mask: jax.Array | None = None,
  dropout: jax.Array | None = None,
) -> jax.Array:
  """What the denoiser makes of speech, whatever the diffusion step.

  Args:
    model: config block with `denoiser`.
    params: has the group `denoiser`.
    states: [L + 1, B, 2 T, E] of `encode_speech`.
    frame_mask: [B, T] bool, False for padding.
    dropout: as for `encode_speech`.

  Returns:
    [B, T, E'], the field `speech` of `Conditions`.
  """
  return _denoiser(model).apply(
    {'params': params['denoiser']},
    states,
    frame_mask,
    method='encode_speech',
    **_training(dropout),
  )


def denoise(
  model: Any,
  params: Params,
  x_t: jax.Array,
  step: jax.Array,
  conditions: Conditions,
  drop_audio: jax.Array | None = None,
  drop_emotion: jax.Array | None = None,
  dropout: jax.Array | None = None,
) -> jax.Array:
  """One evaluation of the denoiser, [B, T, M]; see `MotionDenoiser.denoise`."""
  return _denoiser(model).apply(
    {'params': params['denoiser']},
    x_t,
    step,
    conditions,
    drop_audio,
    drop_emotion,
    method='denoise',
    **_training(dropout),
  )


def articulate(model: Any, params: Params, states: jax.Array) -> jax.Array:
  """What the speech tells linearly; the denoiser makes what that leaves.

  Args:
    model: config block, perhaps with `articulation`.
    params: then has that group, and `stats`.
    states: [L + 1, B, 2 T, E] of `encode_speech`.

  Returns:
    [B, T, M] to be added in the denoiser's units; zeros without such a map.
  """
  if ARTICULATION not in model:
    motion_dim = build(DenoiserConfig, model['denoiser']).motion_dim
    return jnp.zeros((states.shape[1], states.shape[2] // 2, motion_dim))
  change = Articulation(build(ArticulationConfig, model[ARTICULATION])).apply(
    {'params': params[ARTICULATION]}, states[-1]
  )
  return normalization.normalize_change(params['stats'], change)


def generate(
  config: Any,
  params: Params,
  states: jax.Array,
  context: Context,
  key: jax.Array,
  past: int = 0,
  first_frame: int | jax.Array = 0,
) -> jax.Array:
  """Motion for speech.

  Args:
    config: the blocks `model` and `diffusion`.
    params: the groups `denoiser` and `stats`.
    states: [L + 1, B, 2 (past + T), E] of `encode_speech`.
    context: all else.
    key: of the noise that becomes motion, the same for all of a stream.
    past: frames at the beginning that are only listened to.
    first_frame: [] number in the stream of the first one that is generated.

  Returns:
    [B, T, M] in the denoiser's units: the next prefix, and for `to_motion`.
  """
  batch = context.source_kp.shape[0]
  cfg = build(DiffusionConfig, config.diffusion)
  emotion = normalization.normalize(params['stats'], context.emotion)
  x = sample_motion(
    _denoiser(config.model),
    params['denoiser'],
    states,
    {
      'emotion': emotion,
      'source_kp': context.source_kp.reshape(batch, -1),
      'prefix': context.prefix,
      'prefix_mask': context.prefix_mask,
    },
    ~context.has_emotion,
    cfg,
    key,
    past,
    first_frame,
  )
  spoken = articulate(config.model, params, states)[:, past:]
  return x + cfg.articulation_gain * spoken


def to_motion(params: Params, x: jax.Array) -> jax.Array:
  """[..., M] in the denoiser's units -> motion vectors, see `face.py`."""
  return normalization.unnormalize(params['stats'], x)


def _speech_encoder(model: Any) -> Hubert:
  return Hubert(build(HubertConfig, model['speech']), _dtype(model))


def _denoiser(model: Any) -> MotionDenoiser:
  return MotionDenoiser(build(DenoiserConfig, model['denoiser']), _dtype(model))


def _dtype(model: Any) -> jnp.dtype:
  return jnp.dtype(model.get('dtype', 'float32'))


def _training(dropout: jax.Array | None) -> dict[str, Any]:
  """Arguments of a module that may be in training."""
  if dropout is None:
    return {}
  return {'train': True, 'rngs': {'dropout': dropout}}
