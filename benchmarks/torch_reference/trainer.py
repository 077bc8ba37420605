"""One step of training as a PyTorch user writes it.

AdamW with clipping, a schedule and learning rates by group, and the moving
average of the parameters: what `takin_jax/train/optim.py` and `steps.py` do.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from takin_jax.train.optim import OptimConfig


class Trainer:
  """The optimiser of a module whose children are the parameter groups.

  Args:
    module: makes the loss; every step changes it.
    cfg: the config block `optim`, without separate optimisers.
    rates: learning rate of every step; the last one goes on.
    loss_of: the module itself or what calls it: `(*inputs) -> loss []`.
  """

  def __init__(
    self,
    module: nn.Module,
    cfg: OptimConfig,
    rates: Sequence[float],
    loss_of: Callable[..., Tensor],
  ):
    self.cfg, self.rates, self.loss_of = cfg, rates, loss_of
    self.module, self.done = module.train(), 0
    groups = []
    for name, child in module.named_children():
      if name in cfg.freeze:
        child.requires_grad_(False)
      params = [x for x in child.parameters() if x.requires_grad]
      if params:
        scale = cfg.lr_scale.get(name, 1.0)
        groups.append({'params': params, 'scale': scale})
    self.params = [x for group in groups for x in group['params']]
    self.ema = [x.detach().clone() for x in self.params]
    self.optimizer = torch.optim.AdamW(
      groups,
      betas=(cfg.b1, cfg.b2),
      eps=cfg.eps,
      weight_decay=cfg.weight_decay,
      fused=True,
    )

  def step(self, *inputs: Any) -> dict[str, Tensor]:
    """Does one step; returns `loss`, `grad_norm` and `param_norm`."""
    cfg, optimizer = self.cfg, self.optimizer
    optimizer.zero_grad(set_to_none=True)
    loss = self.loss_of(*inputs)
    loss.backward()
    limit = cfg.clip_norm or float('inf')
    norm = nn.utils.clip_grad_norm_(self.params, limit, foreach=True)
    rate = self.rates[min(self.done, len(self.rates) - 1)]
    for group in optimizer.param_groups:
      group['lr'] = rate * group['scale']
    optimizer.step()
    self.done += 1
    decay = min(cfg.ema_decay, self.done / (self.done + 9))
    with torch.no_grad():
      torch._foreach_lerp_(self.ema, self.params, 1 - decay)
      size = nn.utils.get_total_norm(self.params)
    return {'loss': loss.detach(), 'grad_norm': norm, 'param_norm': size}

  def first_moments(self) -> dict[str, Tensor]:
    """Averages of the clipped gradients by parameter name."""
    names = {x: name for name, x in self.module.named_parameters()}
    return {names[x]: self.optimizer.state[x]['exp_avg'] for x in self.params}
