"""The error of the inference layer, which is that of the package."""

from takin_jax.errors import InputError

__all__ = ['InputError']
