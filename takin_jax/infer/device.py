"""Which device computes."""

import jax

from takin_jax.errors import InputError


def pick_device(name: str = 'auto') -> jax.Device:
  """The device of that kind: `auto`, `cpu`, `gpu`, `tpu` or e.g. `gpu:1`.

  Raises:
    InputError: if there is none.
  """
  kind, _, index = name.partition(':')
  try:
    devices = jax.devices(None if kind == 'auto' else kind)
    return devices[int(index or 0)]
  except (RuntimeError, ValueError, IndexError):
    found = ', '.join(str(device) for device in jax.devices())
    raise InputError(
      f'There is no device {name!r} here: JAX finds {found}.', 'device'
    ) from None
