"""HuBERT: transformers' own, with the sizes of our config.

Small encoders of ours may read a spectrum instead of samples; then only the
front end is replaced.
"""

import torch
from torch import Tensor, nn
import torch.nn.functional as F
import transformers

from takin_jax.models.hubert import HubertConfig
from takin_jax.ops import mel

_FLOOR = 1e-2  # of the power, as `ops/mel.py` has it


def build(cfg: HubertConfig) -> transformers.HubertModel:
  """transformers' model of these sizes, with its initial weights."""
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
  model = transformers.HubertModel(sizes)
  if cfg.mel_bands:
    layers = model.feature_extractor.conv_layers
    model.feature_extractor = SpectrumExtractor(cfg, layers)
  return model


class SpectrumExtractor(nn.Module):
  """[B, S] sound -> log-mel spectrum -> transformers' convolutions.

  Args:
    cfg: sizes.
    conv_layers: transformers' layers; the first one is made wider.
  """

  def __init__(self, cfg: HubertConfig, conv_layers: nn.ModuleList):
    super().__init__()
    self.padding = cfg.padding
    conv_layers[0].conv = nn.Conv1d(
      cfg.mel_bands,
      cfg.conv_dims[0],
      cfg.conv_kernels[0],
      cfg.conv_strides[0],
      bias=cfg.conv_bias,
    )
    self.conv_layers = conv_layers
    # Not buffers: they stay float32 whatever the compute type.
    self.window = torch.hann_window(mel.WINDOW)
    self.filters = torch.from_numpy(mel.mel_filters(cfg.mel_bands).T.copy())

  def forward(self, wave: Tensor) -> Tensor:
    self.window = self.window.to(wave.device)
    self.filters = self.filters.to(wave.device)
    wave = F.pad(wave, (self.padding, self.padding))
    spectrum = torch.stft(
      wave,
      mel.WINDOW,
      mel.HOP,
      window=self.window,
      center=False,
      return_complex=True,
    )
    power = spectrum.real.square() + spectrum.imag.square()
    x = 0.2 * torch.log(self.filters @ power + _FLOOR)
    x = x.to(self.conv_layers[0].conv.weight.dtype)
    for layer in self.conv_layers:
      x = layer(x)
    return x


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
    self.model, self.cfg = model, cfg

  def forward(self, wave: Tensor) -> Tensor:
    if self.cfg.normalize:
      var, mean = torch.var_mean(wave, -1, correction=0, keepdim=True)
      wave = (wave - mean) * torch.rsqrt(var + 1e-7)
    if not self.cfg.mel_bands:
      wave = wave.to(self.model.feature_projection.projection.weight.dtype)
    out = self.model(wave, output_hidden_states=True)
    # The last hidden state of transformers 5 lacks the final norm.
    states = (*out.hidden_states[:-1], out.last_hidden_state)
    return torch.stack(states).float()
