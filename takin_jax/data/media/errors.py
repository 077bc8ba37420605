"""The one error of the media layer."""

from takin_jax.errors import InputError


class MediaError(InputError):
  """A file that cannot be used: one sentence with the reason and a remedy."""
