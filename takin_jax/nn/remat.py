"""Rematerialisation of named blocks, from outside the networks.

A block named here keeps only its inputs for the backward pass and computes
everything inside a second time: less memory, more time, the same gradients.
"""

from collections.abc import Collection, Iterator
import contextlib
from typing import Any

from flax import linen as nn
import jax


@contextlib.contextmanager
def remat_blocks(names: Collection[str]) -> Iterator[None]:
  """Rematerialises the named blocks of all networks applied inside.

  Args:
    names: module classes (`SpadeResBlock`) or module names (`middle0`), as
      they stand in the source and in checkpoints. A block inside a block that
      is rematerialised already is left alone.
  """
  names, inside = frozenset(names), [False]

  def interceptor(
    call: Any, args: tuple, kwargs: dict, context: nn.module.InterceptorContext
  ) -> Any:
    block = context.module
    if (
      inside[0]
      or context.method_name != '__call__'
      or not names & {type(block).__name__, block.name}
    ):
      return call(*args, **kwargs)
    inside[0] = True
    try:
      return _remat(block, args, kwargs)
    finally:
      inside[0] = False

  with nn.intercept_methods(interceptor) if names else contextlib.nullcontext():
    yield


def _remat(block: nn.Module, args: tuple, kwargs: dict) -> Any:
  """Calls the block under `nn.remat`; what is no array stays static."""
  leaves, structure = jax.tree.flatten((args, kwargs))
  traced = [isinstance(x, jax.Array) for x in leaves]

  def call(block: nn.Module, arrays: list[jax.Array]) -> Any:
    given = iter(arrays)
    filled = [
      next(given) if t else x for t, x in zip(traced, leaves, strict=True)
    ]
    args, kwargs = jax.tree.unflatten(structure, filled)
    return block(*args, **kwargs)

  arrays = [x for t, x in zip(traced, leaves, strict=True) if t]
  return nn.remat(call)(block, arrays)
