"""A task that trains in milliseconds: a noisy linear map."""

import time

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict
import numpy as np

from takin_jax import rng
from takin_jax.data.batches import endless
from takin_jax.train.task import LossOutput, Task


def toy_config(**train):
  """A complete config of this task."""
  return ConfigDict(
    {
      'name': 'toy',
      'stage': f'{__name__}:ToyTask',
      'seed': 3,
      'data': {'batch_size': 8, 'delay_s': 0.0},
      'mesh': {'devices': 0, 'shard_above': 0},
      'model': {'linear': {'width': 4}},
      'optim': {'lr': 1e-2, 'schedule': 'constant'},
      'eval': {'every': 2},
      'checkpoint': {'every': 2, 'keep': 2},
      'train': {'steps': 4, 'log_every': 1, **train},
    }
  )


class ToyTask(Task):
  """Fits a linear map."""

  def init(self, key):
    """Two groups of parameters, and facts that are not trained."""
    width = self.config.model.linear.width
    return {
      'linear': {'kernel': jax.random.normal(key, (3, width))},
      'head': {'bias': jnp.zeros(width)},
      'stats': {'mean': jnp.full(width, 2.0)},
    }

  def loss(self, params, batch, key, constants, *, train=True):
    """Mean squared error with noise on the inputs."""
    noise = jax.random.normal(rng.fold_in_str(key, 'x'), batch['x'].shape)
    x = batch['x'] + 0.01 * train * noise
    y = x @ params['linear']['kernel'] + params['head']['bias']
    error = y * params['stats']['mean'] - batch['y'] * constants
    return LossOutput(jnp.mean(error**2), {'error': jnp.abs(error).mean()})

  def constants(self):
    """A factor on the targets."""
    return np.float32(0.5)

  def batches(self):
    """Random inputs whose target is their sum."""
    data = self.config.data

    def draw(rng):
      time.sleep(data.delay_s)
      x = rng.normal(size=3).astype(np.float32)
      return {'x': x, 'y': np.full(4, x.sum(), np.float32)}

    shard = (jax.process_index(), jax.process_count())
    samples = endless.Samples(draw, self.config.seed)
    return endless.batches(samples, data.batch_size, shard)

  def batch_spec(self):
    """Twice as many as `batches` makes, so that a test can tell."""
    count = 2 * self.config.data.batch_size
    return {'x': ((count, 3), 'float32'), 'y': ((count, 4), 'float32')}

  def evaluate(self, params):
    """The size of the bias."""
    return {'bias': float(jnp.abs(params['head']['bias']).mean())}

  def samples(self, params, path):
    """A text file."""
    del params
    path.with_suffix('.txt').write_text('sample')
