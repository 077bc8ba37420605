"""Training records on disk: reading and writing them, and what is cached."""

from takin_jax.data.records.reader import (
  SUFFIX,
  ClipHead,
  Frames,
  RecordsError,
  blendshape_names,
  clip_paths,
  read_head,
)

__all__ = [
  'SUFFIX',
  'ClipHead',
  'Frames',
  'RecordsError',
  'blendshape_names',
  'clip_paths',
  'read_head',
]
