"""Writing the records that `takin_jax.data.records` reads."""

from collections.abc import Sequence
import io
import json
from pathlib import Path
from typing import Any

from array_record.python import array_record_module
import numpy as np


def write_record(
  path: Path,
  arrays: dict[str, np.ndarray],
  meta: dict[str, Any],
  jpegs: Sequence[bytes],
) -> None:
  """Writes one clip, under a temporary name until it is complete."""
  part = path.with_suffix('.part')
  head = io.BytesIO()
  np.savez(head, **arrays, meta=np.array(json.dumps(meta)))
  # One record per group, so that a frame is read alone; JPEGs do not shrink.
  writer = array_record_module.ArrayRecordWriter(
    str(part), 'group_size:1,uncompressed'
  )
  for record in (head.getvalue(), *jpegs):
    writer.write(record)
  writer.close()
  part.replace(path)


def finished_meta(path: Path, size_px: int) -> dict[str, Any] | None:
  """`meta` of a record made before with crops of this size; else None."""
  if not path.is_file():
    return None
  reader = array_record_module.ArrayRecordReader(str(path))
  with np.load(io.BytesIO(reader.read([0])[0]), allow_pickle=False) as head:
    meta = json.loads(str(head['meta']))
  reader.close()
  return meta if meta['size_px'] == size_px else None
