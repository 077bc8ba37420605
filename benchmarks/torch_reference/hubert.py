"""HuBERT: transformers' own, with the sizes of our config."""

import torch
from torch import Tensor, nn
import transformers

from takin_jax.models.hubert import HubertConfig


def build(cfg: HubertConfig) -> transformers.HubertModel:
  """transformers' model of these sizes, with its initial weights.

  Raises:
    ValueError: for the option that no published model has.
  """
  if cfg.mel_bands:
    raise ValueError("transformers' HuBERT reads samples, not a spectrum.")
  sizes = transformers.HubertConfig(
    hidden_size=cfg.dim,
    num_hidden_layers=cfg.layers,
    num_attention_heads=cfg.heads,
    intermediate_size=cfg.ffn_dim,
    feat_extract_norm=cfg.conv_norm,
    conv_dim=cfg.conv_dims,
    conv_stride=cfg.conv_strides,
    conv_kernel=cfg.conv_kernels,
    conv_bias=cfg.conv_bias,
    num_conv_pos_embeddings=cfg.pos_kernel,
    num_conv_pos_embedding_groups=cfg.pos_groups,
    do_stable_layer_norm=cfg.norm_first,
    layer_norm_eps=cfg.norm_eps,
  )
  return transformers.HubertModel(sizes)


@torch.no_grad()
def shake(model: nn.Module, seed: int = 0) -> nn.Module:
  """Moves biases and norms off their neutral initial values."""
  torch.manual_seed(seed)
  for name, x in model.named_parameters():
    if x.ndim == 1 and 'masked' not in name:
      x.add_(0.05 * torch.randn_like(x))
  return model


class States(nn.Module):
  """[B, S] sound -> all hidden states [L + 1, B, T, E], as ours.

  Args:
    model: of `build`.
    cfg: says whether the sound is normalised, and whether the last state is.
  """

  def __init__(self, model: transformers.HubertModel, cfg: HubertConfig):
    super().__init__()
    self.model, self.normalize = model, cfg.normalize

  def forward(self, wave: Tensor) -> Tensor:
    if self.normalize:
      var, mean = torch.var_mean(wave, -1, correction=0, keepdim=True)
      wave = (wave - mean) * torch.rsqrt(var + 1e-7)
    dtype = self.model.feature_projection.projection.weight.dtype
    out = self.model(wave.to(dtype), output_hidden_states=True)
    # The last hidden state of transformers 5 lacks the final norm.
    states = (*out.hidden_states[:-1], out.last_hidden_state)
    return torch.stack(states).float()
