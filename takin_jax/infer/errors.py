"""The one error of the inference layer."""


class InputError(ValueError):
  """A wish that cannot be met: one sentence with the reason and a remedy."""
