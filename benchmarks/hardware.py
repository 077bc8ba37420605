"""What the numbers were made on: device, versions, threads, peaks."""

import os
from pathlib import Path
import platform
import subprocess
from typing import Any

import jax
import torch

from takin_jax.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
# Part of the device's name -> dense TFLOP/s as the maker gives them (bfloat16
# with float32 sums; TF32, which both sides use for float32) and GB/s.
_PEAKS = {
  'RTX 4090': (165.2, 82.6, 1008.0),
  'H200': (989.4, 494.7, 4800.0),
  'H100 PCIe': (756.5, 378.0, 2000.0),
  'H100': (989.4, 494.7, 3350.0),
  'A100-SXM4-80GB': (311.9, 155.9, 2039.0),
  'A100 80GB': (311.9, 155.9, 1935.0),
  'A100': (311.9, 155.9, 1555.0),
}


def peaks(name: str, dtype: str) -> tuple[float, float] | None:
  """TFLOP/s and GB/s of a device in a compute type; None: not known."""
  for part, (half, full, moved) in _PEAKS.items():
    if part in name:
      return (half if dtype == 'bfloat16' else full), moved
  return None


def device_name(device: jax.Device) -> str:
  """The graphics card, or the processor and the cores that may be used."""
  if device.platform != 'cpu':
    return device.device_kind
  model = platform.processor() or platform.machine()
  info = Path('/proc/cpuinfo')
  if info.is_file():
    for line in info.read_text().splitlines():
      if line.startswith('model name'):
        model = line.partition(':')[2].strip()
        break
  return f'{model}, {cores()} cores'


def cores() -> int:
  """Cores that this process may use."""
  if hasattr(os, 'sched_getaffinity'):
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


def use_all_cores() -> dict[str, int]:
  """Lets PyTorch use what XLA's pool uses: one thread per core.

  Returns:
    Threads per side.
  """
  torch.set_num_threads(cores())
  return {'jax': cores(), 'torch': torch.get_num_threads()}


def versions() -> dict[str, str]:
  """Of everything that computes."""
  import flax
  import jaxlib
  import transformers

  return {
    'python': platform.python_version(),
    'jax': jax.__version__,
    'jaxlib': jaxlib.__version__,
    'flax': flax.__version__,
    'torch': torch.__version__,
    'transformers': transformers.__version__,
  }


def commit() -> str:
  """The checkout's commit, with '+' if it was changed since."""

  def git(*args: str) -> str:
    done = subprocess.run(
      ['git', *args], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()

  try:
    changed = git('status', '--porcelain', '--untracked-files=no')
    return git('rev-parse', 'HEAD') + ('+' if changed else '')
  except (OSError, subprocess.CalledProcessError):
    return 'unknown'


def torch_device(device: jax.Device) -> torch.device:
  """PyTorch's name of a JAX device.

  Raises:
    InputError: this PyTorch cannot use it.
  """
  if device.platform == 'cpu':
    return torch.device('cpu')
  if device.platform not in ('gpu', 'cuda') or not torch.cuda.is_available():
    raise InputError(
      f'PyTorch {torch.__version__} cannot use {device}: install a build for '
      'this device, or take --device cpu.'
    )
  return torch.device('cuda', device.local_hardware_id or device.id)


def busy() -> str:
  """A sentence if others compute on this machine now; '' if not."""
  if not hasattr(os, 'getloadavg'):
    return ''
  load = os.getloadavg()[0]
  if load < 0.5:
    return ''
  return (
    f'This machine is busy (load {load:.1f}): other work slows both sides, '
    'PyTorch on a CPU most, so these times are worth little.'
  )


def header(device: jax.Device) -> dict[str, Any]:
  """The head of a results file."""
  return {
    'device': device_name(device),
    'versions': versions(),
    'commit': commit(),
  }
