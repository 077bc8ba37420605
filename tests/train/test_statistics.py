"""Norms with running statistics go through the training step."""

import jax
from ml_collections import ConfigDict
import numpy as np
import optax

from takin_jax import renderer
from takin_jax.train import optim, state, steps
from takin_jax.train.motion.task import MotionTask
from tests import tiny


def test_a_step_replaces_the_statistics():
  config = ConfigDict(
    dict(
      model=tiny.smallest_renderer(),
      loss=dict(l1=1.0, perceptual=0.0, mouth=0.0, eyes=0.0, teacher_share=1.0),
    )
  )
  config.model.motion.num_kp = 21
  rng = np.random.default_rng(0)
  points = rng.uniform(-0.5, 0.5, (2, 21, 3)).astype(np.float32)
  batch = {'source_x': points, 'driving_x': points + 0.1}
  for name in ('source', 'driving'):
    batch[name] = rng.integers(0, 255, (2, 32, 32, 3), np.uint8)
  task = MotionTask(config)
  params = task.init(jax.random.key(0))
  frozen = optim.frozen_groups(optim.OptimConfig(), params)
  assert frozen == {renderer.STATS}
  tx = optax.sgd(1e-3)
  step = steps.make_train_step(task.loss, tx, 0.9, frozen)
  before = state.create(params, tx, frozen)
  after, metrics = jax.jit(step)(before, batch, jax.random.key(1), {})
  assert renderer.STATS not in metrics
  assert np.isfinite(metrics['loss']) and metrics['grad_norm'] > 0
  old, new, mean = (
    s[renderer.STATS]['warping']['third']['norm']['var']
    for s in (before.params, after.params, after.ema)
  )
  assert (new != old).any()
  np.testing.assert_array_equal(new, mean)
