import jax
import numpy as np

from takin_jax import rng


def draws(key, name):
  return np.asarray(jax.random.normal(rng.fold_in_str(key, name), (3,)))


def test_streams_of_other_names_and_keys_differ():
  one, other = jax.random.key(0), jax.random.key(1)
  kinds = [draws(one, 'noise'), draws(one, 'steps'), draws(other, 'noise')]
  assert len({tuple(x) for x in kinds}) == 3


def test_a_name_is_the_same_stream_in_every_process():
  """Unlike `hash`, which Python salts."""
  key = rng.fold_in_str(jax.random.key(0), 'noise')
  want = jax.random.fold_in(jax.random.key(0), 0xEFE2A5C0)
  assert jax.random.key_data(key).tolist() == jax.random.key_data(want).tolist()
