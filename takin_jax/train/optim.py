"""Optimiser and learning-rate schedules, from the config block `optim`."""

from collections.abc import Iterable, Mapping
import dataclasses
from typing import Any

import optax

from takin_jax.config import build
from takin_jax.errors import InputError

# Groups that hold facts, not weights: without gradients.
FACTS = ('stats', 'emotions', 'batch_stats')


@dataclasses.dataclass(frozen=True)
class OptimConfig:
  """AdamW with a schedule.

  Attributes:
    lr: highest learning rate.
    schedule: 'constant', 'warmup_cosine' or 'constant_then_linear'.
    warmup_steps: linear rise from 0, in every schedule.
    decay_from: share of all steps after which 'constant_then_linear' falls
      to 0.
    b1, b2, eps, weight_decay: of AdamW.
    clip_norm: global norm above which gradients are scaled down; 0: never.
    ema_decay: of the moving average of the parameters.
    freeze: parameter groups that stay as they are.
    lr_scale: factor on the learning rate by parameter group.
    separate: parameter groups with an optimiser of their own (moments,
      clipping, schedule), and what it does differently from this block, such
      as `dict(discriminator=dict(lr=2e-4))`. Groups that a run lacks are
      passed over, so that one weight switches an adversary off.
  """

  lr: float = 1e-3
  schedule: str = 'warmup_cosine'
  warmup_steps: int = 0
  decay_from: float = 0.5
  b1: float = 0.9
  b2: float = 0.999
  eps: float = 1e-8
  weight_decay: float = 0.0
  clip_norm: float = 1.0
  ema_decay: float = 0.998
  freeze: tuple[str, ...] = ()
  lr_scale: Mapping[str, float] = dataclasses.field(default_factory=dict)
  separate: Mapping[str, Mapping[str, Any]] = dataclasses.field(
    default_factory=dict
  )


def make_schedule(cfg: OptimConfig, steps: int) -> optax.Schedule:
  """Learning rate by step for a run of `steps` steps."""
  rest = max(steps - cfg.warmup_steps, 1)
  if cfg.schedule == 'constant':
    main = optax.constant_schedule(cfg.lr)
  elif cfg.schedule == 'warmup_cosine':
    main = optax.cosine_decay_schedule(cfg.lr, rest)
  elif cfg.schedule == 'constant_then_linear':
    begin = max(int(cfg.decay_from * steps) - cfg.warmup_steps, 0)
    main = optax.linear_schedule(cfg.lr, 0.0, max(rest - begin, 1), begin)
  else:
    raise InputError(
      f'Unknown schedule {cfg.schedule!r}; known: constant, warmup_cosine, '
      'constant_then_linear.'
    )
  warmup = optax.linear_schedule(0.0, cfg.lr, cfg.warmup_steps)
  return optax.join_schedules([warmup, main], [cfg.warmup_steps])


def frozen_groups(cfg: OptimConfig, groups: Iterable[str]) -> frozenset[str]:
  """The parameter groups that stay as they are.

  Raises:
    InputError: if `freeze` or `lr_scale` names a group that is not there.
  """
  groups = frozenset(groups)
  for name in (*cfg.freeze, *cfg.lr_scale):
    if name not in groups:
      raise InputError(
        f'optim names the parameter group {name!r}; this run has '
        f'{", ".join(sorted(groups))}.'
      )
  return groups & {*cfg.freeze, *FACTS}


def make_optimizer(
  cfg: OptimConfig, steps: int
) -> optax.GradientTransformation:
  """The optimiser of the trained groups for a run of `steps` steps.

  Raises:
    InputError: for an unknown schedule, or an unknown key in `separate`.
  """
  if not cfg.separate:
    return _adamw(cfg, steps)
  shared = dataclasses.asdict(cfg) | {'separate': {}}
  parts = {'': _adamw(cfg, steps)}
  for name, changes in cfg.separate.items():
    own = build(OptimConfig, shared | dict(changes.items()))
    parts[name] = _adamw(own, steps)

  def labels(params: Mapping[str, Any]) -> dict[str, str]:
    return {name: name if name in parts else '' for name in params}

  return optax.partition(parts, labels)


def _adamw(cfg: OptimConfig, steps: int) -> optax.GradientTransformation:
  """AdamW with clipping."""
  clip = cfg.clip_norm
  return optax.chain(
    optax.clip_by_global_norm(clip) if clip else optax.identity(),
    optax.adamw(
      make_schedule(cfg, steps),
      b1=cfg.b1,
      b2=cfg.b2,
      eps=cfg.eps,
      weight_decay=cfg.weight_decay,
    ),
    _scale_groups(cfg.lr_scale),
  )


def _scale_groups(scale: Mapping[str, float]) -> optax.GradientTransformation:
  def update(updates, params=None):
    del params
    return {
      name: optax.tree.scale(scale.get(name, 1.0), group)
      for name, group in updates.items()
    }

  return optax.stateless(update)
