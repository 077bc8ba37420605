"""Networks of the user's own, ONNX files that ONNX Runtime runs."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from takin_jax.errors import InputError


class Session(Protocol):
  """What this project uses of `onnxruntime.InferenceSession`."""

  def get_inputs(self) -> list[Any]: ...

  def run(self, names: None, feed: dict[str, np.ndarray]) -> list: ...


def open_net(path: str | Path) -> Session:
  """Opens a file on the CPU.

  Raises:
    ValueError: why it cannot be opened.
  """
  if not Path(path).is_file():
    raise ValueError(f'{path} is not a file')
  try:
    import onnxruntime
  except ImportError:
    raise ValueError('it needs `pip install onnxruntime`') from None
  try:
    return onnxruntime.InferenceSession(
      str(path), providers=['CPUExecutionProvider']
    )
  except Exception as error:  # its errors have no class of their own
    reason = str(error).splitlines()[0]
    raise ValueError(f'ONNX Runtime cannot read {path}: {reason}') from None


def run(session: Session, x: np.ndarray) -> np.ndarray:
  """The first output for one float32 input.

  Raises:
    InputError: if the network wants another input.
  """
  given = session.get_inputs()[0]
  try:
    return np.asarray(session.run(None, {given.name: x.astype(np.float32)})[0])
  except Exception as error:
    raise InputError(
      f'A network for input {list(given.shape)} got {list(x.shape)}: '
      f'{str(error).splitlines()[0]}'
    ) from None
