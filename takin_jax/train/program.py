"""What a config compiles to: the first state, the step, and their layout."""

import dataclasses
from typing import Any

import jax
from ml_collections import ConfigDict

from takin_jax import config as config_lib
from takin_jax.errors import InputError
from takin_jax.train import init_from, optim, sharding, speed
from takin_jax.train import state as state_lib
from takin_jax.train.steps import make_train_step
from takin_jax.train.task import Task, task_for


@dataclasses.dataclass(frozen=True)
class TrainConfig:
  """The config block `train`: length of a run and what happens on the way.

  Attributes:
    steps: how many in all, resumed ones included.
    log_every: steps between two lines of metrics.
    samples_every: steps between two samples to look at; 0: at the end only.
    time_limit_s: stop cleanly after this wall-clock time; 0: never.
    init_from: `PATH` or `PATH:group,group` of weights folders or runs whose
      parameters a fresh run starts from.
    accumulate: parts in which a batch goes through the networks, for batches
      that do not fit at once.
    remat: classes or names of blocks that are computed a second time for the
      gradients, which saves memory, e.g. ('SpadeResBlock',).
    peak_tflops: bf16 peak of one device, for the `mfu` in the log; 0: from a
      table, if the device is in it.
  """

  steps: int = 1000
  log_every: int = 50
  samples_every: int = 0
  time_limit_s: float = 0.0
  init_from: tuple[str, ...] = ()
  accumulate: int = 1
  remat: tuple[str, ...] = ()
  peak_tflops: float = 0.0

  def __post_init__(self):
    for name, least in (
      ('steps', 1),
      ('log_every', 1),
      ('accumulate', 1),
      ('samples_every', 0),
      ('time_limit_s', 0),
    ):
      value = getattr(self, name)
      if not value >= least:
        raise InputError(f'train.{name} is {value}: take {least} or more.')


class Program:
  """The pure functions of a run, and where their arrays live.

  Args:
    config: see the files in `configs/`.

  Raises:
    InputError: for a config that cannot be trained.
  """

  def __init__(self, config: ConfigDict):
    self.config = config
    self.task: Task = task_for(config)
    self.train = config_lib.build(TrainConfig, config.train)
    self._optim = config_lib.build(optim.OptimConfig, config.optim)
    mesh_cfg = config_lib.build(sharding.MeshConfig, config.get('mesh'))
    self.mesh = sharding.make_mesh(mesh_cfg)
    self.key = jax.random.key(config.seed)
    self.schedule = optim.make_schedule(self._optim, self.train.steps)
    self._tx = optim.make_optimizer(self._optim, self.train.steps)
    groups = jax.eval_shape(self.task.init, self.key)
    self._frozen = optim.frozen_groups(self._optim, groups)
    state = jax.eval_shape(self._create, groups)
    self.layout = sharding.state_layout(state, self.mesh, mesh_cfg.shard_above)
    self.state = jax.tree.map(
      lambda x, place: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place),
      state,
      self.layout,
    )

  def check(self) -> list[str]:
    """Looks for all that a run will need, see `Task.check`."""
    self._check_size(
      self.config.data.get('batch_size', self.mesh.size * self.train.accumulate)
    )
    init_from.check(self.train.init_from)
    return self.task.check()

  def _check_size(self, size: int) -> None:
    parts = self.mesh.size * self.train.accumulate
    if size < 1 or size % parts:
      raise InputError(
        f'data.batch_size {size} is not a multiple of {self.mesh.size} '
        f'devices times train.accumulate {self.train.accumulate}.'
      )

  def first_state(self) -> state_lib.TrainState:
    """The state before the first step, on the devices."""
    create = jax.jit(self._create, out_shardings=self.layout)
    if self.train.init_from:
      params = jax.jit(self.task.init)(self.key)
      return create(init_from.replace_groups(params, self.train.init_from))
    init = jax.jit(
      lambda key: self._create(self.task.init(key)), out_shardings=self.layout
    )
    return init(self.key)

  def key_everywhere(self) -> jax.Array:
    """The random key of the run, on all devices."""
    whole = sharding.replicated(self.mesh)
    return jax.jit(lambda: self.key, out_shardings=whole)()

  def lower(self, batch: Any, constants: Any) -> jax.stages.Lowered:
    """The step for arrays of these shapes, ready to compile.

    Raises:
      InputError: for a batch that devices and `accumulate` cannot share.
    """
    self._check_size(next(iter(batch.values())).shape[0])
    return self._lower(batch, constants, self.train)

  def flops(self, lowered: jax.stages.Lowered, *shapes: Any) -> float:
    """Operations of a step over all devices, each counted once.

    Args:
      lowered: of `lower`.
      *shapes: what it was made from.
    """
    if self.train.accumulate > 1 or self.train.remat:
      plain = dataclasses.replace(self.train, accumulate=1, remat=())
      lowered = self._lower(*shapes, plain)
    return speed.flops(lowered)

  def _create(self, params: state_lib.Params) -> state_lib.TrainState:
    return state_lib.create(params, self._tx, self._frozen)

  def _lower(
    self, batch: Any, constants: Any, cfg: TrainConfig
  ) -> jax.stages.Lowered:
    step = make_train_step(
      self.task.loss,
      self._tx,
      self._optim.ema_decay,
      self._frozen,
      cfg.accumulate,
      cfg.remat,
      sharding.gather(self.mesh),
    )
    step = sharding.jit_step(step, self.mesh, self.layout)
    return step.lower(self.state, batch, self.key, constants)
