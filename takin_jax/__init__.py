"""Portraits that talk, in JAX and Flax.

  import takin_jax
  pipe = takin_jax.load()
  pipe.speak('portrait.jpg', 'speech.mp3').save('talking.mp4')

All names but the package's own modules come from `takin_jax.api`, when they
are first asked for: importing the package imports no JAX.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
  from takin_jax.api import (
    EXAMPLE_PORTRAIT,
    EXAMPLE_SPEECH,
    Clip,
    Controls,
    InputError,
    Pipeline,
    Session,
    Snapshot,
    load,
  )

__all__ = [
  'EXAMPLE_PORTRAIT',
  'EXAMPLE_SPEECH',
  'Clip',
  'Controls',
  'InputError',
  'Pipeline',
  'Session',
  'Snapshot',
  'load',
]


def __getattr__(name: str) -> Any:
  if name not in __all__:
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
  from takin_jax import api

  return getattr(api, name)


def __dir__() -> list[str]:
  return sorted({*globals(), *__all__})
