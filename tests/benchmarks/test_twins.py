"""Our PyTorch twin computes what our networks compute."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax import renderer
from takin_jax.config import build, load_config
from takin_jax.convert import hubert as hubert_lib
from takin_jax.diffusion.motion import first_noise, sample_motion
from takin_jax.diffusion.schedule import DiffusionConfig
from takin_jax.models.denoiser import DenoiserConfig, MotionDenoiser
from takin_jax.models.hubert import Hubert, HubertConfig
from tests import tiny
from tests.convert.conftest import CASES, shapes

torch = pytest.importorskip('torch')
pytest.importorskip('transformers')
pytestmark = pytest.mark.torch

from benchmarks.torch_reference import denoiser as their_denoiser  # noqa: E402
from benchmarks.torch_reference import hubert as their_hubert  # noqa: E402
from benchmarks.torch_reference import keypoints, weights  # noqa: E402
from benchmarks.torch_reference import renderer as twins_lib  # noqa: E402
from benchmarks.torch_reference.blocks import prepare  # noqa: E402
from benchmarks.torch_reference.motion import refine  # noqa: E402

LIMIT = 2e-5  # float32 on both sides; activations are about 1
DEGREES = 1e-4  # angles are about 10


@pytest.fixture(autouse=True)
def no_gradients():
  with torch.inference_mode():
    yield


def picture(size: int) -> np.ndarray:
  rng = np.random.default_rng(0)
  return rng.uniform(size=(1, size, size, 3)).astype(np.float32)


def to_torch(x):
  return torch.from_numpy(np.moveaxis(np.array(x), -1, 1).copy())


def difference(theirs, ours) -> float:
  """Largest, of a channel-first tensor and a channel-last array."""
  theirs = np.moveaxis(theirs.numpy(), 1, -1)
  assert theirs.shape == ours.shape
  return float(np.abs(theirs - np.asarray(ours)).max())


def run_ours(model, params, image):
  """Source, driving keypoints, and all outputs of one frame."""

  @jax.jit
  def run(params, image):
    source = renderer.encode_source(model, params, image)
    kp = renderer.source_keypoints(source)
    noise = np.random.default_rng(1).standard_normal(kp.shape)
    moved = kp + 0.1 * jnp.asarray(noise, kp.dtype)
    pair = (source.image, source.features, kp, moved)
    out = renderer.warp_and_generate(model, params, *pair)
    return source, kp, moved, out

  return run(params, image)


def check_motion(heads, source, kp_source):
  kp, vector = refine(heads)
  assert np.abs(kp.numpy() - source.kp).max() < LIMIT
  gap = np.abs(vector.numpy() - source.motion.to_vector())
  assert gap[:, :-3].max() < LIMIT and gap.max() < DEGREES
  moved = keypoints.transform(kp, vector).numpy()
  assert np.abs(moved - kp_source).max() < LIMIT


def test_published_form():
  model, image = tiny.published_renderer(), picture(tiny.SIZE)
  twins, params = twins_lib.random_pair(model)
  f, m, w, g = (prepare(twin) for twin in twins.values())
  model, params = renderer.fold(model, params)
  source, kp, moved, out = run_ours(model, params, image)
  assert difference(f(to_torch(image)), source.features['volume']) < LIMIT
  check_motion(m(to_torch(image)), source, kp)
  volume = to_torch(source.features['volume'])
  warped = w(volume, *map(torch.tensor, (np.array(kp), np.array(moved))))
  assert difference(warped['out'], out['feature']) < LIMIT
  frame = g(warped['out'])
  assert difference(frame, out['image']) < LIMIT
  assert frame.std() > 0.05, 'the picture is almost one colour'


def test_small_form():
  model, image = tiny.small_renderer(), picture(tiny.SIZE)
  params = renderer.init(model, jax.random.key(0))
  rng = np.random.default_rng(0)
  params = jax.tree.map(
    lambda x: x + 0.05 * rng.standard_normal(x.shape, np.float32), params
  )
  f, m, w, g = map(prepare, twins_lib.load_small(model, params).values())
  source, kp, moved, out = run_ours(model, params, image)
  volume, skip = f(to_torch(image))
  assert difference(volume, source.features['volume']) < LIMIT
  assert difference(skip, source.features['skip']) < LIMIT
  check_motion(m(to_torch(image)), source, kp)
  pair = tuple(torch.tensor(np.array(x)) for x in (kp, moved))
  warped = w(volume, skip, *pair)
  assert difference(warped[0], out['feature']) < LIMIT
  frame = g(*warped, to_torch(image), *pair)
  assert difference(frame, out['image']) < LIMIT


@pytest.mark.parametrize('group', CASES)
def test_published_names(group):
  """Published files fit: the same names and shapes, at full size."""
  with torch.device('meta'):
    twins = twins_lib.networks(load_config('configs/motion.py').model)
  state = twins[group].state_dict()
  assert {k: tuple(x.shape) for k, x in state.items()} == shapes(CASES[group])


def test_prepare_changes_no_output():
  twin = twins_lib.random_pair(tiny.published_renderer())[0]['warping'].eval()
  rng = torch.Generator().manual_seed(0)
  args = [
    torch.randn(shape, generator=rng)
    for shape in ((1, 4, 4, 8, 8), (1, 5, 3), (1, 5, 3))
  ]
  before = twin(*args)['out']
  names = set(twin.state_dict())
  after = prepare(twin)(*args)['out']
  assert (before - after).abs().max() < LIMIT
  assert not any('running' in name for name in twin.state_dict())
  assert any('running' in name for name in names)


@functools.cache
def speech(**extra):
  """Tiny HuBERT on both sides, and its states of half a second."""
  cfg = build(HubertConfig, {**tiny.TWO_LAYER_SPEECH, **extra})
  twin = their_hubert.shake(their_hubert.build(cfg)).eval()
  params = weights.to_ours(hubert_lib.TABLE, twin, hubert_lib.shapes(cfg))[
    'params'
  ]
  rng = np.random.default_rng(0)
  wave = rng.standard_normal((1, 7760)).astype(np.float32)
  states = jax.jit(Hubert(cfg).apply)({'params': params}, wave)
  return cfg, twin, params, wave, states


@pytest.mark.parametrize('extra', [{}, tiny.SPECTRUM])
def test_hubert(extra):
  cfg, twin, params, wave, states = speech(**extra)
  theirs = their_hubert.States(twin, cfg)(torch.from_numpy(wave))
  assert theirs.shape == states.shape
  assert np.abs(theirs.numpy() - states).max() < LIMIT
  # And back: the table fills transformers' model with our parameters.
  other = their_hubert.build(cfg).eval()
  weights.load_ours(hubert_lib.TABLE, other, {'params': params})
  again = their_hubert.States(other, cfg)(torch.from_numpy(wave))
  assert torch.equal(theirs, again)


@pytest.mark.parametrize('prediction', ['eps', 'x0', 'v'])
def test_denoiser(prediction):
  """Guidance on both conditions, a half empty prefix, smoothing."""
  encoder, *_, states = speech()
  cfg = build(DenoiserConfig, tiny.TWO_LAYER_DENOISER)
  diffusion = DiffusionConfig(
    prediction=prediction,
    sample_steps=3,
    spacing='trailing',
    clip=4.0 if prediction == 'eps' else 0.0,
    guidance_emotion=1.5,
    lip_noise=0.5,
    smooth_frames=1.0,
    prefix=4,
  )
  rng = np.random.default_rng(0)
  dim, kp_dim, frames = cfg.motion_dim, 6, states.shape[2] // 2
  given = {
    'emotion': rng.standard_normal((1, kp_dim), np.float32),
    'source_kp': rng.standard_normal((1, kp_dim), np.float32),
    'prefix': rng.standard_normal((1, 4, dim), np.float32),
    'prefix_mask': np.array([[False, False, True, True]]),
  }
  module, key = MotionDenoiser(cfg), jax.random.key(1)
  x = jnp.zeros((1, frames, dim))
  params = module.init(key, x, jnp.zeros(1, int), states, **given)['params']
  params = jax.tree.map(
    lambda p: p + 0.1 * rng.standard_normal(p.shape, np.float32), params
  )
  ours = jax.jit(
    lambda p: sample_motion(
      module, p, states, given, jnp.zeros(1, bool), diffusion, key
    )
  )(params)
  shape = (encoder.layers + 1, encoder.dim)
  twin = their_denoiser.Denoiser(cfg, shape, kp_dim)
  weights.load_named(twin, params).eval()
  noise = np.array(first_noise(diffusion, key, 0, x.shape))
  theirs = their_denoiser.sample_motion(
    twin.encode_speech,
    twin.denoise,
    torch.from_numpy(np.array(states)),
    their_denoiser.Conditions(
      **{k: torch.from_numpy(v) for k, v in given.items()}
    ),
    torch.from_numpy(noise),
    diffusion,
  )
  assert np.abs(ours).max() > 0.1
  assert np.abs(theirs.numpy() - ours).max() < 10 * LIMIT


def test_other_variants_are_refused():
  with pytest.raises(ValueError, match='pre-norm'):
    their_denoiser.Conformer(
      build(DenoiserConfig, dict(speech=dict(conv_norm='batch'))).speech
    )
