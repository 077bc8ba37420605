"""Channels first and last."""

from typing import Any

import jax.numpy as jnp


def to_last(x: Any) -> Any:
  """[B, C, ...] -> [B, ..., C]."""
  return jnp.moveaxis(jnp.asarray(x), 1, -1)


def to_first(x: Any) -> Any:
  """[B, ..., C] -> [B, C, ...]."""
  return jnp.moveaxis(x, -1, 1)
