"""Training records on disk: reading and writing them, and what is cached."""

from takin_jax.data.records.reader import (
  MANIFEST,
  SUFFIX,
  ClipHead,
  EmptySplitError,
  Frames,
  RecordsError,
  blendshape_names,
  clip_paths,
  read_head,
  read_heads,
  read_manifest,
)

__all__ = [
  'MANIFEST',
  'SUFFIX',
  'ClipHead',
  'EmptySplitError',
  'Frames',
  'RecordsError',
  'blendshape_names',
  'clip_paths',
  'read_head',
  'read_heads',
  'read_manifest',
]
