"""Which emotion speech sounds like: a linear readout of the speech encoder.

In: states of a few seconds of speech. Out: the probability of every emotion.
Parameters: `{emotion: {'kernel': [F], 'bias': []}}`.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

FRAMES = 75  # heard at a time: 3 s
GROUP = 'emotion_reader'  # of the weights

Reader = Mapping[str, Mapping[str, jax.Array]]


def features(states: jax.Array) -> jax.Array:
  """States [L + 1, B, T, E] of all layers -> their means, [B, (L + 1) E]."""
  mean = jnp.moveaxis(states.astype(jnp.float32).mean(2), 0, 1)
  return mean.reshape(mean.shape[0], -1)


def probabilities(reader: Reader, heard: jax.Array) -> dict[str, jax.Array]:
  """[B] by emotion for features [B, F]."""
  names = sorted(reader)
  kernel = jnp.stack([reader[name]['kernel'] for name in names], -1)
  bias = jnp.stack([reader[name]['bias'] for name in names])
  scores = jax.nn.softmax(heard @ kernel + bias)
  return dict(zip(names, scores.T, strict=True))
