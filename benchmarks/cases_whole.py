"""End to end: 5 s of sound -> motion -> frames as uint8 on the host.

A window of motion and its frames; at full size on a CPU, where a frame takes
seconds, the first two of them.
"""

from collections.abc import Callable
import functools
from typing import Any

import jax
import numpy as np
import torch
from torch import Tensor

from benchmarks.cases import Case, Setting
from benchmarks.cases_render import Renderer, frame_module, frame_tensors
from benchmarks.cases_speech import Speech
from benchmarks.programs import Ours, Theirs, compile_ours
from benchmarks.torch_reference.keypoints import transform
from takin_jax import renderer
from takin_jax.infer.frames import fetch
from takin_jax.ops.geometry import transform_keypoints
from takin_jax.types import Motion

_FRAMES_ON_CPU = 2  # of the full size


def end_to_end(setting: Setting) -> Case:
  """A window of sound -> its frames."""
  r, s = Renderer(setting), Speech(setting)
  count = s.diffusion.window
  if setting.size == 'full' and setting.device.platform == 'cpu':
    count = _FRAMES_ON_CPU
  frame, tensors = frame_module(r), frame_tensors(r)
  return Case(
    _ours(r, s, count),
    Theirs(
      functools.partial(_theirs, r, s, frame, count),
      (setting.tensor(s.wave), *tensors),
      (frame,),
      Theirs(lambda wrap: wrap(frame), tensors, (frame,)),
    ),
    _difference,
    {'frames': count, 'steps': s.diffusion.sample_steps},
  )


def _ours(r: Renderer, s: Speech, count: int) -> Ours:
  """Two programs: motion of the window, and one frame of it."""

  def motion(params: Any, wave: jax.Array, kp: jax.Array) -> jax.Array:
    x = s.sample(params, s.hear(params, wave))[0] * s.std + s.mean
    return transform_keypoints(kp, Motion.from_vector(x))

  def frame(params: Any, source: Any, kp: jax.Array, i: jax.Array) -> jax.Array:
    kp = jax.lax.dynamic_slice_in_dim(kp, i, 1)
    image = renderer.render(r.model, params, source, kp)
    return renderer.to_uint8(image)

  first = compile_ours(motion, s.params, s.wave, r.source.kp)
  kp = first.run()
  second = compile_ours(frame, r.params, r.source, kp, np.int32(0))
  states = jax.eval_shape(s.hear, s.params, s.wave)

  def run() -> list[np.ndarray]:
    kp = first.call()
    frames = (
      second.call(r.params, r.source, kp, np.int32(i)) for i in range(count)
    )
    return list(fetch(frames))

  cost = first.cost + s.loop_cost(states) + count * second.cost
  return Ours(run, cost, first.compile_s + second.compile_s)


def _theirs(
  r: Renderer, s: Speech, frame: Any, count: int, wrap: Callable
) -> Callable:
  """The same in PyTorch; a frame is fetched after the next was started."""
  states, sample = wrap(s.states_module), s.their_motion(wrap)
  draw = wrap(frame)
  mean, std = s.setting.tensor(s.mean), s.setting.tensor(s.std)
  kp = s.setting.tensor(r.source.kp)
  at = 2 if r.small else 1  # volume(, skip), kp_source, kp_driving, ...

  def run(wave: Tensor, *inputs: Tensor) -> list[np.ndarray]:
    motion = sample(states(wave))[0] * std + mean
    moved = transform(kp, motion)
    out, previous = [], None
    for i in range(count):
      given = (*inputs[: at + 1], moved[i : i + 1], *inputs[at + 2 :])
      image = draw(*given)[0].permute(1, 2, 0)
      image = (image.clamp(0.0, 1.0) * 255.0 + 0.5).to(torch.uint8)
      if previous is not None:
        out.append(previous.cpu().numpy())
      previous = image
    return [*out, previous.cpu().numpy()]

  return run


def _difference(ours: list[np.ndarray], theirs: list[np.ndarray]) -> float:
  """Of pixels in [0, 1]; a level of uint8 is 0.004."""
  pairs = zip(ours, theirs, strict=True)
  return (
    float(max(np.abs(a - b.astype(np.float32)).max() for a, b in pairs)) / 255
  )
