"""A training step of our PyTorch twin is ours: losses, gradients, updates."""

from flax import linen as nn
import jax
import jax.numpy as jnp
from ml_collections import ConfigDict
import numpy as np
import pytest

from takin_jax.config import build, load_config
from takin_jax.losses import perceptual
from takin_jax.nn.dropout import Dropout
from takin_jax.train import optim
from takin_jax.train import state as state_lib
from takin_jax.train.steps import make_train_step
from takin_jax.train.task import LossOutput, task_for
from tests import tiny

torch = pytest.importorskip('torch')
pytest.importorskip('transformers')
pytestmark = pytest.mark.torch

from benchmarks import cases_training as cases  # noqa: E402
from benchmarks import measure, report, training  # noqa: E402
from benchmarks.cases import Setting  # noqa: E402
from benchmarks.torch_reference.weights import named  # noqa: E402

LOSS, GRADIENT = 1e-4, 1e-3  # relative


@pytest.fixture
def setting():
  return Setting('nano', 'float32', jax.devices()[0], torch.device('cpu'))


def perceptual_weights(name: str):
  """Random weights in the shapes of the real ones."""
  rng = np.random.default_rng(0)

  def layer(kernel: int, inputs: int, outputs: int):
    scale = (2.0 / (kernel * kernel * inputs)) ** 0.5
    shape = (kernel, kernel, inputs, outputs)
    return {
      'kernel': scale * rng.standard_normal(shape, np.float32),
      'bias': 0.1 * rng.standard_normal(outputs, np.float32),
    }

  if name == 'vgg16':
    widths = (3, 64, 64, 128, 128, 256, 256, 256)
    return {
      f'Conv_{i}': layer(3, a, b)
      for i, (a, b) in enumerate(zip(widths, widths[1:], strict=False))
    }
  widths, sizes = (3, 64, 192, 384, 256, 256), (11, 5, 3, 3, 3)
  heads = {
    f'NetLinLayer_{i}': {
      'Conv_0': {'kernel': rng.uniform(size=(1, 1, w, 1)).astype(np.float32)}
    }
    for i, w in enumerate(widths[1:])
  }
  net = {
    f'Conv_{i}': layer(k, a, b)
    for i, (k, a, b) in enumerate(zip(sizes, widths, widths[1:], strict=False))
  }
  return {'AlexNet_0': net, **heads}


@pytest.fixture
def motion_config(monkeypatch):
  monkeypatch.setattr(perceptual, 'load_weights', perceptual_weights)
  config = cases.as_twin(load_config('configs/nano_motion.py'))
  model = tiny.small_renderer()
  model['motion']['num_kp'] = 21
  config.data.records, config.data.batch_size = '', 2
  with config.unlocked():
    config.model, config.data.size_px = ConfigDict(model), tiny.SIZE
    config.loss.perceptual_px, config.loss.lpips_px = 16, 32
  return config


@pytest.fixture
def audio_config():
  config = load_config('configs/nano_audio.py')
  del config.model.articulation  # the twin lacks it
  config.data.records, config.data.batch_size = '', 2
  config.train.init_from = ()
  config.diffusion.window, config.diffusion.prefix = 10, 3
  small = dict(dim=16, heads=2, ffn_dim=24, kernel=5, dropout=0.1, layers=1)
  config.model.speech.update(tiny.TWO_LAYER_SPEECH | tiny.SPECTRUM)
  for name in ('speech', 'motion'):
    config.model.denoiser[name].update(small)
  return config


def parameters(config):
  """Random ones, so that each has a gradient; compiling `init` takes long."""
  rng = np.random.default_rng(1)

  def fill(x):
    scale = (1.4 / max(np.prod(x.shape[:-1]), 1)) ** 0.5 if x.ndim > 1 else 0.1
    return scale * rng.standard_normal(x.shape, np.float32)

  groups = jax.eval_shape(task_for(config).init, jax.random.key(0))
  params = {
    name: jax.tree.map(fill, group)
    for name, group in groups.items()
    if name not in optim.FACTS
  }
  if 'stats' in groups:
    shape, given = groups['stats']['mean'].shape, {'mean': 0.1, 'std': 1.5}
    params['stats'] = {
      k: np.full(shape, x, np.float32) for k, x in given.items()
    }
  return params


def check(config, params, batch, module, args):
  """Loss and gradients of every parameter on both sides."""
  frozen = {*config.optim.freeze, *optim.FACTS}
  trained = {k: v for k, v in params.items() if k not in frozen}

  task = task_for(config)
  batch = jax.tree.map(jnp.asarray, batch)

  def loss_of(trained, key):
    return task.loss({**params, **trained}, batch, key, task.constants()).loss

  loss, grads = jax.jit(jax.value_and_grad(loss_of))(
    trained, training.first_key(config)
  )
  for name in config.optim.freeze:
    if hasattr(module, name):
      getattr(module, name).requires_grad_(False)
  theirs = module.train()(*args)
  theirs.backward()
  assert abs(float(theirs.detach()) / float(loss) - 1) < LOSS
  found = {k: x.grad for k, x in module.named_parameters() if x.requires_grad}
  wanted = {
    f'{group}.{name}': x
    for group, tree in grads.items()
    for name, x in named(tree).items()
  }
  assert found.keys() == wanted.keys()
  whole = sum(x.square().sum() for x in wanted.values()).sqrt()
  assert whole > 1e-3
  for name, x in wanted.items():
    gap = (found[name] - x).norm()
    assert gap <= GRADIENT * x.norm() + 1e-5 * whole, name


def test_motion(motion_config, setting):
  config = motion_config
  batch = cases.motion_batch(config)
  params = parameters(config)
  module = cases.motion_module(config, params)
  inputs, corners = cases.motion_inputs(setting, config, batch)
  args = (*inputs, corners)
  check(config, params, batch, module, args)


def test_audio(audio_config, setting, monkeypatch):
  """With the same dropout on both sides."""
  config = audio_config
  batch = cases.audio_batch(config)
  params = parameters(config)
  calls = ([], [])

  def kept(shape, rate, number):
    calls[number].append(tuple(shape))
    rng = np.random.default_rng(len(calls[number]))
    return rng.random(shape) >= rate

  def ours(next_fun, args, kwargs, context):
    module = context.module
    if not isinstance(module, Dropout) or module.deterministic:
      return next_fun(*args, **kwargs)
    mask = kept(args[0].shape, module.rate, 0)
    return jnp.where(mask, args[0] / (1 - module.rate), 0.0)

  def theirs(x, rate, training, inplace):
    mask = torch.from_numpy(kept(x.shape, rate, 1))
    return torch.where(mask, x / (1 - rate), 0.0)

  monkeypatch.setattr(torch.nn.functional, 'dropout', theirs)
  module = cases.audio_module(config, params)
  args = cases.audio_inputs(setting, config, params, batch)
  with nn.intercept_methods(ours):
    check(config, params, batch, module, args)
  assert calls[0] == calls[1] and len(calls[0]) == 18


def test_optimizer():
  """Clipping, schedule, rates by group, decay and average over three steps."""
  block = dict(
    lr=0.1,
    schedule='constant_then_linear',
    warmup_steps=2,
    decay_from=0.5,
    weight_decay=0.1,
    clip_norm=0.5,
    ema_decay=0.9,
    freeze=('c',),
    lr_scale=dict(b=0.5),
  )
  config = ConfigDict(dict(optim=block, train=dict(steps=4)))
  rng = np.random.default_rng(0)
  params = {
    name: {'weight': rng.standard_normal((3, 4), np.float32)} for name in 'abc'
  }
  x = rng.standard_normal((5, 4), np.float32)

  def loss_fn(params, batch, key, constants):
    total = sum(
      jnp.square(batch @ p['weight'].T).sum() for p in params.values()
    )
    return LossOutput(total, {})

  cfg = build(optim.OptimConfig, config.optim)
  tx = optim.make_optimizer(cfg, 4)
  step = make_train_step(loss_fn, tx, cfg.ema_decay, frozenset('c'))
  state = state_lib.create(jax.tree.map(jnp.asarray, params), tx, {'c'})
  module = torch.nn.Module()
  for name, group in params.items():
    linear = torch.nn.Linear(4, 3, bias=False)
    linear.weight.data = torch.from_numpy(group['weight'].copy())
    module.add_module(name, linear)
  module.forward = lambda x: sum(
    child(x).square().sum() for child in module.children()
  )
  trainer = training.trainer(module, config)
  for _ in range(3):
    state, metrics = jax.jit(step)(state, x, jax.random.key(0), {})
    theirs = trainer.step(torch.from_numpy(x))
    assert np.isclose(metrics['loss'], float(theirs['loss']), rtol=1e-5)
    assert np.isclose(metrics['grad_norm'], float(theirs['grad_norm']))
  for i, name in enumerate('ab'):
    weight = getattr(module, name).weight.detach()
    assert np.abs(weight.numpy() - params[name]['weight']).max() > 0.01
    assert np.allclose(weight, state.params[name]['weight'], atol=1e-5)
    assert np.allclose(trainer.ema[i], state.ema[name]['weight'], atol=1e-5)
  assert np.array_equal(module.c.weight.detach(), params['c']['weight'])


def test_rows(audio_config, setting):
  """Both sides are built, compared and timed; their weights change."""
  for name in ('speech', 'motion'):  # so that one step compiles, not two
    audio_config.model.denoiser[name].dropout = 0.0
  plan = measure.Plan(1, (measure.EAGER,), None)
  (row,) = measure.measure(
    'train_audio',
    lambda setting: cases.audio_case(setting, audio_config),
    setting,
    plan,
    lambda text: None,
  )
  assert set(report.ROW_KEYS) <= set(row)
  assert row['max_abs_diff'] < 1e-3 and row['gradient_difference'] < GRADIENT
  assert row['flop'] > 1e5 and row['jax_ms'] > 0
