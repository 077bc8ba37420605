"""Controls as a caller gives them, checked."""

from collections.abc import Mapping
import dataclasses
from typing import Any

from takin_jax.animation.controls import Controls, InferConfig
from takin_jax.errors import InputError

GivenControls = Controls | Mapping[str, float] | None


def read_controls(given: GivenControls, own: Controls, config: Any) -> Controls:
  """The controls to use.

  Args:
    given: all of them, or what differs from the weights' own.
    own: the weights' own.
    config: of the weights.

  Raises:
    InputError: an unknown name, or blinks where the lids are not known.
  """
  if isinstance(given, Controls):
    controls = given
  else:
    given = given or {}
    known = [field.name for field in dataclasses.fields(Controls)]
    for name in given:
      if name not in known:
        raise InputError(
          f'There is no {name!r}: there are {", ".join(known)}.', 'controls'
        )
    controls = own.replace(**given)
  known = InferConfig.of(config).landmark_keypoints
  if controls.blinks_per_minute and not known:
    raise InputError(
      f'Nobody knows which keypoints of {config.name!r} are lids: these '
      'weights cannot add blinks.',
      'blinks_per_minute',
    )
  return controls
