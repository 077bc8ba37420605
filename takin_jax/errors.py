"""The one kind of error that a user can mend."""


class InputError(ValueError):
  """What was given cannot be used: one sentence with the reason and a remedy.

  Every part of the package raises it, or a subclass that names the part.
  """
