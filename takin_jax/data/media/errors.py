"""The one error of the media layer."""


class MediaError(ValueError):
  """A file that cannot be used: one sentence with the reason and a remedy."""
