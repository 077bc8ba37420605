"""Random keys by the name of what is drawn.

Two parts of a step that split the same key draw the same numbers, and one more
split moves all others. A name does neither. Source: `fold_in_str` of
google-research/kauldron.
"""

import hashlib

import jax


def fold_in_str(key: jax.Array, name: str) -> jax.Array:
  """The key of the stream `name`, independent of those of other names."""
  digest = hashlib.sha256(name.encode()).digest()
  return jax.random.fold_in(key, int.from_bytes(digest[:4], 'big'))
