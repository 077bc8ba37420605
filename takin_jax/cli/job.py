"""What the command line asks for, in the words of the library."""

import argparse
import dataclasses
import logging
import os
from typing import Any

import takin_jax
from takin_jax.infer.pipeline import Pipeline

Path = str | os.PathLike[str]
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Job:
  """A portrait and what moves it.

  Attributes:
    args: the options (`options.py`).
  """

  args: argparse.Namespace

  @property
  def portrait(self) -> Path:
    """The picture; by default the astronaut."""
    given = self.args.source
    return takin_jax.EXAMPLE_PORTRAIT if given is None else given

  @property
  def speech(self) -> Path:
    """The sound file; by default the default sentence."""
    given = self.args.audio
    return takin_jax.EXAMPLE_SPEECH if given is None else given

  @property
  def crop(self) -> str:
    """The animated part of the portrait."""
    return self.args.crop

  def load(self) -> Pipeline:
    """The model."""
    # Only now: --help and wrong arguments need not wait for JAX.
    import jax
    import jaxlib

    from takin_jax import compilation

    args, cache = self.args, compilation.enable_cache()
    pipe = takin_jax.load(
      args.weights,
      device=args.device,
      dtype=args.dtype,
      steps=args.steps,
      guidance=args.guidance,
      config=args.config,
    )
    device = pipe.engine.device
    if args.verbose:
      _log.warning(
        f'{device.device_kind} ({device}), jax {jax.__version__}, '
        f'jaxlib {jaxlib.__version__}; compiled programs in {cache.parent}'
      )
    return pipe

  def speaking(self, pipe: Pipeline) -> dict[str, Any]:
    """Arguments that `Pipeline.speak` and `.session` share."""
    args = self.args
    if args.emotion_from is not None:
      emotion = pipe.emotion_from(args.emotion_from, args.emotion_scale)
    else:
      emotion = pipe.emotion(args.emotion, args.emotion_scale)
    return {
      'emotion': emotion,
      'controls': self.controls(),
      'crop': args.crop,
      'seed': args.seed,
    }

  def controls(self) -> dict[str, float]:
    """What differs from the weights' own controls."""
    args = self.args
    given = {
      'motion_scale': args.motion_scale,
      'pose_scale': args.pose_scale,
      'relative': float(args.relative),
    }
    if args.blinks is not None:
      given['blinks_per_minute'] = args.blinks
    return given

  def live(self) -> dict[str, int]:
    """How a live stream is cut, as `Pipeline.session` takes it."""
    args = self.args
    return {'chunk_ms': args.chunk_ms, 'look_ahead_ms': args.look_ahead_ms}
