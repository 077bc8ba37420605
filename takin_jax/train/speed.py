"""How fast a run is and how well it uses the device."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

# Dense bf16 peak of one device in TFLOP/s, by a part of its name
# (manufacturers' data sheets; the first match counts).
_PEAKS = {
  'GB200': 2500.0,
  'B200': 2250.0,
  'H200': 989.0,
  'H100 PCIe': 756.0,
  'H100': 989.0,
  'H800': 989.0,
  'A100': 312.0,
  'A800': 312.0,
  'L40S': 362.0,
  'RTX 4090': 165.2,
  'RTX 3090': 71.0,
  'TPU v5p': 459.0,
  'TPU v5 lite': 197.0,
  'TPU v4': 275.0,
}


def peak_tflops(device: jax.Device) -> float:
  """Dense bf16 peak of a known device, else 0."""
  name = device.device_kind
  return next((peak for key, peak in _PEAKS.items() if key in name), 0.0)


def memory_gib(device: jax.Device) -> float:
  """Most memory that was in use on a device so far; 0: it does not say."""
  stats = device.memory_stats() or {}
  return stats.get('peak_bytes_in_use', 0) / 2**30


def flops(lowered: jax.stages.Lowered) -> float:
  """Operations of a program, by XLA's count, over all devices."""
  cost = lowered.cost_analysis()
  return float((cost or {}).get('flops', 0.0))


class Speed:
  """Figures per log line from the time of a step.

  Args:
    batch: its arrays or their shapes.
    flops_per_step: over all devices, without what is computed twice.
    devices: that share the step.
    peak: of one device in TFLOP/s; 0: look it up.
  """

  def __init__(
    self,
    batch: Mapping[str, Any],
    flops_per_step: float,
    devices: list[jax.Device],
    peak: float = 0.0,
  ):
    self._size = next(iter(batch.values())).shape[0]
    pictures = any(x.ndim == 4 and x.dtype == np.uint8 for x in batch.values())
    self._unit = 'images' if pictures else 'windows'
    self._flops, self._devices = flops_per_step, devices
    self._peak = peak or peak_tflops(devices[0])

  def rates(self, steps_per_s: float) -> dict[str, float]:
    """Samples and operations per second, device memory.

    Returns:
      `images_per_s` (pairs, each of which makes one picture) or
      `windows_per_s`; `tflops` per second over all devices; `mfu`, its share
      of the bf16 peak, where that is known; `memory_gib` of the first device
      of this process, where it says.
    """
    tflops = self._flops * steps_per_s / 1e12
    out = {f'{self._unit}_per_s': self._size * steps_per_s, 'tflops': tflops}
    if self._peak:
      out['mfu'] = tflops / (self._peak * len(self._devices))
    memory = memory_gib(jax.local_devices()[0])
    return {**out, 'memory_gib': memory} if memory else out
