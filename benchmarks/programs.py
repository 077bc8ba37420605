"""The two sides of a block: a compiled JAX program and a PyTorch callable.

Both are called without arguments and have finished when the call returns.
"""

from collections.abc import Callable
import dataclasses
import time
from typing import Any

import jax
import torch
from torch import Tensor, nn

# What turns a PyTorch callable into the one that is timed: nothing, or
# torch.compile.
Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]


@dataclasses.dataclass(frozen=True)
class Cost:
  """XLA's own count for one call.

  Attributes:
    flop: floating point operations.
    moved: bytes read and written, after fusion.
  """

  flop: float
  moved: float

  def __add__(self, other: 'Cost') -> 'Cost':
    return Cost(self.flop + other.flop, self.moved + other.moved)

  def __sub__(self, other: 'Cost') -> 'Cost':
    return self + -1 * other

  def __rmul__(self, factor: float) -> 'Cost':
    return Cost(factor * self.flop, factor * self.moved)


@dataclasses.dataclass(frozen=True)
class Ours:
  """An executable of ours, compiled ahead of time.

  Attributes:
    call: starts it, with other arguments if given; arrays on the device.
    cost: of one call; loops count once.
    compile_s: seconds of tracing and compiling.
  """

  call: Callable[..., Any]
  cost: Cost
  compile_s: float

  def run(self, *args: Any) -> Any:
    return jax.block_until_ready(self.call(*args))

  def costing(self, more: Cost) -> 'Ours':
    """The same program, whose loops cost this on top."""
    return dataclasses.replace(self, cost=self.cost + more)


def compile_ours(function: Callable[..., Any], *args: Any) -> Ours:
  """Compiles a pure function for these arguments, as the engine does.

  Returns:
    A program that runs with them, or with other ones of the same shapes.
  """
  start = time.perf_counter()
  program = jax.jit(function).lower(*args).compile()
  seconds = time.perf_counter() - start
  return Ours(
    lambda *other: program(*(other or args)), cost_of(program), seconds
  )


def traced_cost(function: Callable[..., Any], *args: Any) -> Cost:
  """XLA's count without compiling: of work inside loops, for instance."""
  return cost_of(jax.jit(function).lower(*args))


def cost_of(program: Any) -> Cost:
  """XLA's count for a lowered or compiled program."""
  found = program.cost_analysis() or {}
  found = found[0] if isinstance(found, list) else found
  return Cost(found.get('flops', 0.0), found.get('bytes accessed', 0.0))


@dataclasses.dataclass(frozen=True)
class Theirs:
  """A PyTorch callable with its inputs.

  Attributes:
    make: gives the callable; what `torch.compile` shall take goes through the
      argument.
    inputs: of the callable.
    modules: whose weights may be laid out channels last; none: only sequences
      pass through, which have one layout.
    part: the part whose speed decides on the layout; None: the whole.
    trains: gradients are needed.
  """

  make: Callable[[Wrap], Callable[..., Any]]
  inputs: tuple[Tensor, ...]
  modules: tuple[nn.Module, ...] = ()
  part: 'Theirs | None' = None
  trains: bool = False

  def runner(self, wrap: Wrap, channels_last: bool) -> Callable[[], Any]:
    """The callable to time, without arguments.

    Args:
      wrap: see `make`.
      channels_last: memory format of pictures, volumes and kernels.
    """
    for module in self.modules:
      for x in module.parameters():
        x.data = laid_out(x.data, channels_last)
    inputs = [laid_out(x, channels_last) for x in self.inputs]
    function = self.make(wrap)
    cuda = any(x.is_cuda for x in inputs)

    def run() -> Any:
      with torch.inference_mode(not self.trains):
        out = function(*inputs)
      if cuda:
        torch.cuda.synchronize()
      return out

    return run


def laid_out(x: Tensor, channels_last: bool) -> Tensor:
  """[B, C, H, W] and [B, C, D, H, W] in that memory format; others as is."""
  if x.ndim not in (4, 5):
    return x
  if not channels_last:
    return x.contiguous()
  last = {4: torch.channels_last, 5: torch.channels_last_3d}
  return x.contiguous(memory_format=last[x.ndim])


def eager(function: Callable[..., Any]) -> Callable[..., Any]:
  """PyTorch as it is."""
  return function


def compiler(device: torch.device, trains: bool = False) -> Wrap:
  """torch.compile at its best: frozen weights on a CPU, tuned on a GPU."""
  if device.type == 'cuda':
    return lambda f: torch.compile(f, mode='max-autotune')
  import torch._inductor.config as inductor

  inductor.freezing = not trains
  return torch.compile
