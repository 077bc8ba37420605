"""A task that trains in milliseconds: a noisy linear map."""

import time

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict
import numpy as np

from takin_jax.data.batches import endless


def toy_config(**train):
  """A complete config of this task."""
  return ConfigDict(
    {
      'name': 'toy',
      'stage': __name__,
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


def init(config, key):
  """Two groups of parameters, and facts that are not trained."""
  width = config.model.linear.width
  return {
    'linear': {'kernel': jax.random.normal(key, (3, width))},
    'head': {'bias': jnp.zeros(width)},
    'stats': {'mean': jnp.full(width, 2.0)},
  }


def loss_fn(config):
  """Mean squared error with noise on the inputs."""
  del config

  def loss(params, batch, key, train):
    x = batch['x'] + 0.01 * train * jax.random.normal(key, batch['x'].shape)
    y = x @ params['linear']['kernel'] + params['head']['bias']
    error = y * params['stats']['mean'] - batch['y'] * batch['constants']
    return jnp.mean(error**2), {'error': jnp.abs(error).mean()}

  return loss


def constants(config):
  """A factor on the targets."""
  del config
  return np.float32(0.5)


def batches(config):
  """Random inputs whose target is their sum."""

  def draw(rng):
    time.sleep(config.data.delay_s)
    x = rng.normal(size=3).astype(np.float32)
    return {'x': x, 'y': np.full(4, x.sum(), np.float32)}

  shard = (jax.process_index(), jax.process_count())
  samples = endless.Samples(draw, config.seed)
  return endless.batches(samples, config.data.batch_size, shard)


def evaluate(config, params, step, workdir):
  """The size of the bias."""
  del config, step, workdir
  return {'bias': float(jnp.abs(params['head']['bias']).mean())}


def samples(config, params, step, folder):
  """A text file."""
  del config, params
  (folder / f'{step}.txt').write_text('sample')
