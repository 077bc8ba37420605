"""The front door: `takin_jax.load() -> Pipeline`.

What `import takin_jax` offers, each read when it is first asked for.
"""

import os
from pathlib import Path

from takin_jax import cache_folder
from takin_jax.animation.controls import Controls
from takin_jax.errors import InputError
from takin_jax.infer import checkpoint
from takin_jax.infer.device import pick_device
from takin_jax.infer.frames import Clip
from takin_jax.infer.inputs.examples import EXAMPLE_PORTRAIT, EXAMPLE_SPEECH
from takin_jax.infer.pipeline import Pipeline
from takin_jax.infer.session import Session, Snapshot

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

_DTYPES = ('float32', 'bfloat16')


def load(
  name_or_folder: str | os.PathLike[str] = 'nano',
  *,
  device: str = 'auto',
  dtype: str = 'float32',
  steps: int | None = None,
  guidance: float | None = None,
  config: str | os.PathLike[str] | None = None,
  cache: str | os.PathLike[str] | None = None,
) -> Pipeline:
  """Loads a model.

  Args:
    name_or_folder: weights that come with the package ('nano'), or a folder
      of them.
    device: 'auto', 'cpu', 'gpu', 'tpu' or e.g. 'gpu:1'.
    dtype: compute type of the renderer, 'float32' or 'bfloat16'.
    steps: of denoising; None: the weights' own.
    guidance: how strongly speech moves the face; None: the weights' own.
    config: config file that the weights must belong to.
    cache: folder of compiled programs, which must be the user's own; None:
      `$TAKIN_CACHE_DIR`, or `~/.cache/takin_jax`.

  Returns:
    The model, with nothing compiled yet.

  Raises:
    InputError: weights, device or a value cannot be used.

  Example:
    >>> import takin_jax
    >>> pipe = takin_jax.load()
    >>> clip = pipe.speak(takin_jax.EXAMPLE_PORTRAIT, takin_jax.EXAMPLE_SPEECH)
    >>> clip.save('talking.mp4')
  """
  if dtype not in _DTYPES:
    raise InputError(f'{dtype!r} is none of {", ".join(_DTYPES)}.', 'dtype')
  picked = pick_device(device)
  weights = checkpoint.load(
    name_or_folder, config, dtype, sample_steps=steps, guidance_audio=guidance
  )
  folder = cache_folder.find() if cache is None else Path(cache)
  return Pipeline(*weights, picked, folder / cache_folder.PROGRAMS)
