"""Stage 1: which terms there are, whom they move, what they read."""

import dataclasses
import functools
from pathlib import Path
import runpy

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict
import numpy as np
import pytest

from takin_jax.config import build
from takin_jax.train.motion.adversarial_terms import adversarial_terms
from takin_jax.train.motion.loss_config import MotionLossConfig
from takin_jax.train.motion.task import MotionTask

SMOKE = Path(__file__).parents[3] / 'configs' / 'smoke.py'
OFF = dict(l1=0.0, perceptual=0.0, teacher_share=1.0)


def _config(**loss) -> ConfigDict:
  config = runpy.run_path(str(SMOKE))['get_config']('motion')
  config.loss = ConfigDict(OFF | loss)
  return config


def _batch(others: int = 0) -> dict[str, np.ndarray]:
  rng = np.random.default_rng(0)
  batch = {'source_kp': rng.uniform(-0.5, 0.5, (2, 21, 3))}
  for name in ('source', 'driving'):
    batch[name] = rng.integers(0, 255, (2, 64, 64, 3), np.uint8)
    batch[f'{name}_x'] = rng.uniform(-0.5, 0.5, (2, 21, 3))
    batch[f'{name}_pose'] = rng.normal(size=(2, 3))
    shape = (2, 2, 21, 2)
    batch[f'{name}_landmarks'] = rng.uniform(-0.5, 0.5, shape)
  if others:
    batch['others'] = rng.integers(0, 255, (2, others, 64, 64, 3), np.uint8)
  return {
    k: v if v.dtype == np.uint8 else v.astype(np.float32)
    for k, v in batch.items()
  }


@pytest.fixture(scope='module')
def params():
  """Of everything, the discriminator included."""
  config = _config(gan=1.0)
  shapes = jax.eval_shape(MotionTask(config).init, jax.random.key(0))
  rng = np.random.default_rng(0)

  def draw(leaf):  # initialising would take long to compile
    return jnp.asarray(0.1 * rng.normal(size=leaf.shape), jnp.float32)

  return jax.tree.map(draw, shapes)


@pytest.mark.parametrize(
  ('name', 'runs'),
  [
    ('landmark', {'landmark'}),
    ('canonical', {'canonical'}),
    ('keypoint_prior', {'keypoint_prior'}),
    ('equivariance', {'equivariance'}),
    ('gan', {'gan', 'discriminator'}),
    ('feature_matching', {'feature_matching', 'discriminator'}),
  ],
)
def test_only_terms_with_a_weight_are_computed(params, name, runs):
  task = MotionTask(_config(**{name: 2.0}))
  args = (params, _batch(others=1), jax.random.key(1), {})
  out = jax.eval_shape(task.loss, *args)
  assert out.metrics.keys() == runs
  assert set(out.stats or {}) == runs & {'discriminator'}


def test_without_weight_there_is_no_discriminator():
  config = _config(l1=1.0)
  groups = jax.eval_shape(MotionTask(config).init, jax.random.key(0))
  assert groups.keys() == {'appearance', 'motion', 'warping', 'generator'}


def test_keypoint_terms_move_the_extractor_and_nothing_else(params):
  names = ('landmark', 'canonical', 'keypoint_prior', 'equivariance')
  task = MotionTask(_config(**dict.fromkeys(names, 1.0)))

  def loss(*args):
    out = task.loss(*args)
    return out.loss, out.metrics

  run = jax.jit(jax.grad(loss, has_aux=True))
  grads, terms = run(params, _batch(others=1), jax.random.key(1), {})
  assert terms.keys() == set(names)
  assert all(np.isfinite(v) and v > 0 for v in terms.values())
  assert _moved(grads) == {'motion'}


@pytest.mark.parametrize(
  'weights', [dict(lips_l1=1.0), dict(paint=1.0, still=1.0, l1=1.0)]
)
def test_terms_of_the_small_renderer_move_it(params, weights):
  config = _config(surroundings=0.5, **weights)
  if 'lips_l1' in weights:
    config.model.mouth = dict(
      height=16, width=40, widths=(8, 8, 8, 8), hidden=8, texture_channels=2
    )
    shapes = jax.eval_shape(MotionTask(config).init, jax.random.key(0))
    rng = np.random.default_rng(0)
    mouth = jax.tree.map(lambda x: 0.1 * rng.normal(size=x.shape), shapes)
    params = {**params, 'mouth': mouth['mouth']}
  task = MotionTask(config)

  def loss(*args):
    out = task.loss(*args)
    return out.loss, out.metrics

  run = jax.jit(jax.grad(loss, has_aux=True))
  grads, terms = run(params, _batch(), jax.random.key(1), {})
  assert terms.keys() == set(weights)
  assert all(np.isfinite(v) for v in terms.values())
  moved = {'mouth', 'generator'} if 'mouth' in params else {'generator'}
  assert moved <= _moved(grads) and 'motion' not in _moved(grads)


def _moved(grads):
  """The groups with a gradient."""
  return {
    name
    for name, group in grads.items()
    if any(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(group))
  }


def test_canonical_groups_have_all_pictures_of_the_person(params):
  task = MotionTask(_config(canonical=1.0, colors=0.0))
  run = jax.jit(lambda b: task.loss(params, b, jax.random.key(1), {}).loss)
  batch = _batch(others=2)
  pair = run({k: v for k, v in batch.items() if k != 'others'})
  group = run(batch)
  batch['others'] = np.stack([batch['source'], batch['source']], 1)
  # Of the six pairs of source, driving, source, source three differ.
  np.testing.assert_allclose(run(batch), pair / 2, rtol=1e-3)
  assert abs(group / pair - 1) > 1e-3


def test_each_side_of_the_adversaries_has_its_own_gradients(params):
  model = _config().model
  rng = np.random.default_rng(0)
  made, real = rng.uniform(size=(2, 2, 64, 64, 3)).astype(np.float32)
  x = jnp.zeros((2, 21, 3))

  @functools.partial(jax.jit, static_argnums=2)
  def gradients(judge, made, cfg):
    def total(judge, made):
      terms, stats = adversarial_terms(
        *(cfg, model, {**params, 'discriminator': judge}, (made, real), x),
        *(jax.random.key(0), True),
      )
      return sum(terms.values()), (terms, stats)

    return jax.grad(total, (0, 1), has_aux=True)(judge, made)

  judge = params['discriminator']
  cfg = MotionLossConfig(gan=1.0, gan_px=32)
  (to_judge, to_made), (terms, stats) = gradients(judge, made, cfg)
  heavy = dataclasses.replace(cfg, gan=3.0, feature_matching=1e-9)
  (to_judge_3, to_made_3), _ = gradients(judge, made, heavy)
  # The weight of the renderer's side does not reach the discriminator, and
  # the discriminator's own loss does not reach the made picture.
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-7),
    to_judge,
    to_judge_3,
  )
  np.testing.assert_allclose(3 * to_made, to_made_3, rtol=1e-3, atol=1e-7)
  assert np.abs(to_made).max() > 0 and _moved(to_judge) >= {'conv0', 'scores'}
  # A crop of 32 pixels in the middle, give or take.
  assert (np.abs(to_made).max((0, 3)) > 0).sum() <= 2 * 32 * 32
  old = params['batch_stats']['discriminator']['conv0']['u']
  assert (old != stats['discriminator']['conv0']['u']).any()
  assert terms.keys() == {'gan', 'discriminator'}


def test_bad_landmarks_are_named():
  with pytest.raises(ValueError, match='each landmark guides one'):
    build(MotionLossConfig, dict(landmark_indices=(1, 2)))
  with pytest.raises(ValueError, match='from 0 to 477'):
    build(
      MotionLossConfig,
      dict(landmark_indices=(478,), landmark_keypoints=(0,)),
    )
