"""transformers' own HubertModel against ours, through the command."""

import numpy as np
import pytest

from takin_jax import weights
from takin_jax.config import build
from takin_jax.convert import __main__ as command
from takin_jax.models.hubert import Hubert, HubertConfig

pytestmark = pytest.mark.torch


def make(folder, head: bool, safe: bool, **options):
  """Saves a small model with random weights; returns its base model."""
  torch = pytest.importorskip('torch')
  transformers = pytest.importorskip('transformers')

  torch.manual_seed(0)
  cfg = transformers.HubertConfig(
    hidden_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=64,
    conv_dim=(24,) * 7,
    num_conv_pos_embeddings=10,
    num_conv_pos_embedding_groups=4,
    **options,
  )
  kind = transformers.HubertForCTC if head else transformers.HubertModel
  model = kind(cfg).eval()
  if safe:
    model.save_pretrained(folder)
  else:
    folder.mkdir()
    cfg.save_pretrained(folder)
    torch.save(model.state_dict(), folder / 'pytorch_model.bin')
  return model.hubert if head else model


@pytest.mark.parametrize('head, safe', [(True, True), (False, False)])
@pytest.mark.parametrize('layout', ['large', 'base'])
def test_hidden_states(tmp_path, layout, head, safe):
  torch = pytest.importorskip('torch')
  options = {
    'large': dict(
      feat_extract_norm='layer', conv_bias=True, do_stable_layer_norm=True
    ),
    'base': dict(
      feat_extract_norm='group', conv_bias=False, do_stable_layer_norm=False
    ),
  }[layout]
  theirs = make(tmp_path / 'hf', head, safe, **options)
  out = tmp_path / 'out'
  assert command.main(['hubert', str(tmp_path / 'hf'), '--out', str(out)]) == 0
  config, params = weights.load(out)
  cfg = build(HubertConfig, config.model.speech)
  assert cfg.normalize == (layout == 'large')
  rng = np.random.default_rng(0)
  wave = rng.normal(size=(2, 6480)).astype(np.float32)
  wave = (wave - wave.mean(1, keepdims=True)) / wave.std(1, keepdims=True)
  with torch.no_grad():
    want = theirs(torch.tensor(wave), output_hidden_states=True)
  states = Hubert(cfg).apply({'params': params['speech']}, wave)
  assert len(states) == len(want.hidden_states) == 3
  for got, state in zip(states[:2], want.hidden_states, strict=False):
    np.testing.assert_allclose(got, state.numpy(), atol=2e-5)
  # The last state is taken after the final norm, in every version.
  last = want.last_hidden_state.numpy()
  np.testing.assert_allclose(states[2], last, atol=2e-5)
