"""Conformer with relative positions, pre-norm, layer norm in the convolution.

In and out: [B, T, E]. In training mode dropout is where our Conformer has it,
and attention is written out: PyTorch's fused one has no gradient for a bias.
Source: Conformer (arXiv 2005.08100), positions after
Transformer-XL (arXiv 1901.02860). Layers have the names of our Flax modules.
"""

import torch
from torch import Tensor, nn
import torch.nn.functional as F

from takin_jax.nn.conformer import ConformerConfig

_LOWEST = torch.finfo(torch.float32).min


def relative_positions(frames: int, dim: int, device: torch.device) -> Tensor:
  """Sinusoids of the distances T - 1, ..., -(T - 1): [2T - 1, E]."""
  distance = torch.arange(frames - 1, -frames, -1, device=device)
  at = torch.arange(0, dim, 2, device=device)
  angle = distance[:, None] * torch.pow(10_000.0, -at / dim)
  table = torch.stack([angle.sin(), angle.cos()], -1)
  return table.flatten(1)


class Attention(nn.Module):
  """Self-attention over content and distance."""

  def __init__(self, cfg: ConformerConfig):
    super().__init__()
    dim, self.heads = cfg.dim, cfg.heads
    for name in 'qkv':
      setattr(self, f'linear_{name}', nn.Linear(dim, dim))
    self.linear_out = nn.Linear(dim, dim)
    self.linear_pos = nn.Linear(dim, dim, bias=False)
    shape = (cfg.heads, dim // cfg.heads)
    self.pos_bias_u = nn.Parameter(torch.zeros(shape))
    self.pos_bias_v = nn.Parameter(torch.zeros(shape))
    self.dropout = nn.Dropout(cfg.dropout)

  def forward(
    self, x: Tensor, positions: Tensor, mask: Tensor | None = None
  ) -> Tensor:
    def split(y: Tensor) -> Tensor:  # [..., T, E] -> [..., N, T, E / N]
      return y.unflatten(-1, (self.heads, -1)).transpose(-2, -3)

    q, k, v = (split(getattr(self, f'linear_{n}')(x)) for n in 'qkv')
    p = split(self.linear_pos(positions))
    distance = relative_shift((q + self.pos_bias_v[:, None]) @ p.mT)
    q = q + self.pos_bias_u[:, None]
    scale = q.shape[-1] ** -0.5
    if self.training:
      scores = (q @ k.mT + distance) * scale
      if mask is not None:
        scores = scores.masked_fill(~mask[:, None, None], _LOWEST)
      out = self.dropout(scores.softmax(-1)) @ v
    else:
      bias = distance * scale
      if mask is not None:
        bias = bias.masked_fill(~mask[:, None, None], _LOWEST)
      out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
    return self.linear_out(out.transpose(1, 2).flatten(2))


def relative_shift(scores: Tensor) -> Tensor:
  """[B, N, T, 2T - 1] by distance -> [B, N, T, T] by key."""
  b, n, t, _ = scores.shape
  rows = F.pad(scores, (1, 0)).view(b, n, -1, t)[:, :, 1:]
  return rows.reshape(scores.shape)[..., :t]


class Convolution(nn.Module):
  """Gated pointwise, depthwise, norm, swish, pointwise."""

  def __init__(self, cfg: ConformerConfig):
    super().__init__()
    dim, kernel = cfg.dim, cfg.kernel
    self.pointwise_in = nn.Linear(dim, 2 * dim)
    self.depthwise = nn.Conv1d(
      dim, dim, kernel, padding=kernel // 2, groups=dim
    )
    self.norm = nn.LayerNorm(dim, eps=cfg.norm_eps)
    self.pointwise_out = nn.Linear(dim, dim)

  def forward(self, x: Tensor) -> Tensor:
    x = F.glu(self.pointwise_in(x))
    x = self.depthwise(x.transpose(1, 2)).transpose(1, 2)
    return self.pointwise_out(F.silu(self.norm(x)))


class Layer(nn.Module):
  """Half feed-forward, attention, convolution, half feed-forward, norm."""

  def __init__(self, cfg: ConformerConfig):
    super().__init__()
    dim, eps = cfg.dim, cfg.norm_eps
    for name in ('ffn1', 'ffn2'):
      setattr(self, f'{name}_in', nn.Linear(dim, cfg.ffn_dim))
      setattr(self, f'{name}_out', nn.Linear(cfg.ffn_dim, dim))
    self.attention, self.conv = Attention(cfg), Convolution(cfg)
    self.dropout = nn.Dropout(cfg.dropout)
    for name in ('ffn1', 'att', 'conv', 'ffn2', 'final'):
      setattr(self, f'norm_{name}', nn.LayerNorm(dim, eps=eps))

  def forward(
    self, x: Tensor, positions: Tensor, mask: Tensor | None = None
  ) -> Tensor:
    drop = self.dropout
    y = drop(F.silu(self.ffn1_in(self.norm_ffn1(x))))
    x = x + 0.5 * drop(self.ffn1_out(y))
    x = x + drop(self.attention(self.norm_att(x), positions, mask))
    x = x + drop(self.conv(self.norm_conv(x)))
    y = drop(F.silu(self.ffn2_in(self.norm_ffn2(x))))
    return self.norm_final(x + 0.5 * drop(self.ffn2_out(y)))


class Conformer(nn.Module):
  """A stack of layers.

  Args:
    cfg: sizes.

  Raises:
    ValueError: for the variants that only published checkpoints need.
  """

  def __init__(self, cfg: ConformerConfig):
    super().__init__()
    if not cfg.norm_first or cfg.conv_norm != 'layer' or cfg.scale_input:
      raise ValueError('The twin is pre-norm, with layer norms only.')
    self.cfg = cfg
    for i in range(cfg.layers):
      setattr(self, f'layer_{i}', Layer(cfg))
    self.norm_out = nn.LayerNorm(cfg.dim, eps=cfg.norm_eps)
    self.dropout = nn.Dropout(cfg.dropout)
    self.register_buffer('positions', torch.empty(0, 0), persistent=False)

  def forward(
    self,
    x: Tensor,
    extra: Tensor | None = None,
    mask: Tensor | None = None,
  ) -> Tensor:
    """[B, T, E]; `extra` [L, B, E] is added before each layer.

    Frames that `mask` [B, T] leaves out are zeros, and nothing looks at them.
    """
    if len(self.positions) != 2 * x.shape[1] - 1:  # the first time
      self.positions = relative_positions(*x.shape[1:], x.device).to(x.dtype)
    if mask is not None:
      x = torch.where(mask[..., None], x, 0)
    positions, x = self.dropout(self.positions), self.dropout(x)
    for i in range(self.cfg.layers):
      if extra is not None:
        x = x + extra[i, :, None]
      x = getattr(self, f'layer_{i}')(x, positions, mask)
    return self.norm_out(x)
