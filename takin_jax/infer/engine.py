"""One loaded model on one device; its programs are compiled when asked for.

In: a weights folder's config and parameters. Out: executables for fixed shapes,
from the store where they were compiled before: portrait -> `Source`, chunk of
speech -> motion, motion -> frames, driving frame -> frame. Pictures go in and
come out as uint8.
"""

import concurrent.futures
import contextlib
import functools
import logging
import pathlib
import threading
from typing import Any

import flax.errors
import jax
from ml_collections import ConfigDict
import numpy as np

from takin_jax import compilation
from takin_jax.animation import speech_step
from takin_jax.animation.chunks import ChunkConfig
from takin_jax.animation.controls import Controls
from takin_jax.config import build, to_json
from takin_jax.diffusion.schedule import DiffusionConfig
from takin_jax.errors import InputError
from takin_jax.face import HEAD_DIM
from takin_jax.infer import executables, programs
from takin_jax.infer.programs import Program
from takin_jax.types import Motion, Source

Params = dict[str, Any]

_NAME = 'program'  # of the one program in a stored file
_log = logging.getLogger(__name__)


class Engine:
  """Runs what is asked of one model; safe to use from several threads.

  Args:
    config: the weights' config: `name` and the blocks `model` and, for
      speech, `diffusion`.
    params: their parameters by group.
    device: where to run.
    store: folder of compiled programs (`executables.py`); None: none.

  Attributes:
    size_px: side of the pictures that go in.
  """

  def __init__(
    self,
    config: Any,
    params: Params,
    device: jax.Device,
    store: pathlib.Path | None = None,
  ):
    self.config, self.device = config, device
    self.size_px = programs.size_px(config)
    self._sharding = jax.sharding.SingleDeviceSharding(device)
    self._host, self._params, self._store = params, {}, store
    self._compiled: dict[Program, Any] = {}
    self._traces: dict[Program, Any] = {}
    self._lock = threading.RLock()

  @property
  def diffusion(self) -> DiffusionConfig:
    """How speech becomes motion."""
    self.require(programs.GenerateMotion)
    kind = self.config.model.get('denoiser', {}).get('kind')
    if kind or 'diffusion' not in self.config:
      raise InputError(
        f'The weights of {self.config.name!r} have '
        f'{f"the motion generator of {kind}" if kind else "no sampler"}, with '
        'which speech cannot be spoken yet: give a driving video, or other '
        'weights.'
      )
    return build(DiffusionConfig, self.config.diffusion)

  @property
  def exp_dim(self) -> int:
    """3K, numbers of an expression of a model that speaks."""
    return self._host['stats']['mean'].shape[0] - HEAD_DIM

  def encode_source(self, image: np.ndarray) -> Source:
    """Encodes a portrait, [size_px, size_px, 3] uint8."""
    seen = self._run(programs.ExtractMotion(), image)
    return self._run(programs.EncodeSource(), image, seen)

  def extract_motion(self, image: np.ndarray) -> Motion:
    """Reads the motion [1, ...] of a picture of the same size."""
    return self._run(programs.ExtractMotion(), image)[1]

  def first_state(
    self,
    chunks: ChunkConfig,
    seed: int | None = None,
    levels_db: np.ndarray | None = None,
  ) -> speech_step.SpeechState:
    """The state before any sound, see `speech_step.first_state`."""
    dim = self.exp_dim + HEAD_DIM
    return speech_step.first_state(self.diffusion, chunks, dim, seed, levels_db)

  def generate_motion(
    self,
    chunks: ChunkConfig,
    state: speech_step.SpeechState,
    sound: np.ndarray,
    source: Source,
    controls: Controls,
  ) -> tuple[speech_step.SpeechState, Motion]:
    """Motion of one chunk of sound, see `speech_step`.

    Several sessions at once where every argument has a leading axis of them,
    as `jax.tree.map(lambda *x: np.stack(x), *states)` makes it.

    Args:
      chunks: how sound is cut.
      state: what the chunk before left.
      sound: [chunks.sound_samples] at 16 kHz.
      source: the portrait.
      controls: of `Controls.as_arrays`.
    """
    sessions = len(sound) if sound.ndim == 2 else None
    program = programs.GenerateMotion(chunks, sessions)
    return self._run(program, state, sound, source, controls)

  def render(
    self, source: Source, motions: Motion, first: int = 0, count: int = 1
  ) -> jax.Array:
    """Starts frames of motions [T, ...] from `first` on: [count, H, W, 3]."""
    program = programs.Render(motions.scale.shape[0], count)
    return self._run(program, source, motions, np.int32(first))

  def reenact(
    self, source: Source, first: Motion, motion: Motion, controls: Controls
  ) -> jax.Array:
    """Starts the frame for a driving frame: [1, H, W, 3] uint8.

    Args:
      source: the portrait.
      first: motion of the driving video's reference frame.
      motion: of the driving frame.
      controls: of `Controls.as_arrays`.
    """
    return self._run(programs.Reenact(), source, first, motion, controls)

  def require(self, *wanted: Program | type[Program]) -> None:
    """Raises InputError where the weights lack what a program takes."""
    groups = {g for p in wanted for g in set(p.groups) - set(p.optional)}
    missing = sorted(groups - set(self._host))
    if missing:
      raise InputError(
        f'The weights of {self.config.name!r} have no '
        f'{" and no ".join(missing)}, which this needs: train and export '
        'them, or take other weights.'
      )

  def compile(self, *wanted: Program) -> None:
    """Makes programs ready side by side; else each is when first run.

    Raises:
      InputError: if the weights lack what is needed, or do not fit the config.
    """
    with self._lock:
      self.require(*wanted)
      self._put({group for program in wanted for group in program.groups})
      self._ready([p for p in wanted if p not in self._compiled])

  def _run(self, program: Program, *args: Any) -> Any:
    if program not in self._compiled:
      self.compile(program)
    return self._compiled[program](self._groups(program), *args)

  def _groups(self, program: Program) -> Params:
    """The parameters of one program, on the device."""
    return {k: self._params[k] for k in program.groups if k in self._params}

  def _put(self, groups: set[str]) -> None:
    """Brings groups of parameters to the device; the renderer's together."""
    prepare = programs.PrepareWeights()
    if groups & set(prepare.groups):
      groups = groups | set(prepare.groups)
    new = groups & set(self._host) - set(self._params)
    if not new:
      return
    self._params |= jax.device_put(
      {group: self._host[group] for group in new}, self._sharding
    )
    if new & set(prepare.groups):
      self._ready([prepare])
      self._params |= self._run(prepare)  # while other programs are read

  def _ready(self, wanted: list[Program]) -> None:
    """Reads programs from the store; compiles and stores the others."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
      stored = dict(zip(wanted, pool.map(self._stored, wanted), strict=True))
      self._compiled |= {p: made for p, made in stored.items() if made}
      missing = [p for p, made in stored.items() if not made]
      if not missing:
        return
      keep = self._store is not None
      with compilation.bypass_cache() if keep else contextlib.nullcontext():
        if not self._traces:
          _log.info('Compiling for this machine, which is done once ...')
        traced = [self._traced(program) for program in missing]
        made = pool.map(lambda trace: trace.lower().compile(), traced)
        compiled = {}
        for program, executable in zip(missing, made, strict=True):
          compiled[program] = executable
          _log.info('... %s', type(program).__name__)
    self._compiled |= compiled
    if self._store is not None:
      for program, made in compiled.items():
        key = self._key(program)
        executables.save(self._store, key, {_NAME: made})

  def _stored(self, program: Program) -> Any:
    """The program from the store, or None."""
    if self._store is None:
      return None
    key = self._key(program)
    found = executables.load(self._store, key, self.device)
    return found and found[_NAME]

  def _key(self, program: Program) -> str:
    """Names everything that the compiled program depends on."""
    shapes = jax.tree.map(
      lambda x: (x.shape, str(x.dtype)), self._groups(program)
    )
    blocks = {k: self.config[k] for k in program.blocks if k in self.config}
    facts = (repr(program), to_json(ConfigDict(blocks)), str(shapes))
    return executables.key(self.device, *facts)

  def _traced(self, program: Program) -> Any:
    """The program traced for its arguments' shapes, with those it follows."""
    if program in self._traces:
      return self._traces[program]
    self.require(program)
    self._put(set(program.groups))
    jitted = jax.jit(
      functools.partial(program, self.config),
      in_shardings=self._sharding,
      out_shardings=self._sharding,
    )

    def out(other: Program) -> Any:
      return self._traced(other).out_info

    try:
      # `ops/conv.py` chooses its forms for the default device.
      with jax.default_device(self.device):
        args = program.arguments(self.config, self._params, out)
        trace = jitted.trace(self._groups(program), *args)
    except InputError:
      raise
    # Foreign sizes show in many types of error while a network is traced.
    except (
      flax.errors.FlaxError,
      ArithmeticError,
      AttributeError,
      LookupError,
      TypeError,
      ValueError,
    ) as error:
      raise InputError(
        f'The weights do not fit their config {self.config.name!r}: '
        f'{str(error).splitlines()[0]}'
      ) from error
    self._traces[program] = trace
    return trace
