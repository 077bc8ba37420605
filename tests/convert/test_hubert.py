"""HuBERT through the command: numbers, names, what is refused."""

import json

import numpy as np
import pytest
from safetensors import numpy as safetensors

from takin_jax import weights
from takin_jax.config import build
from takin_jax.convert import __main__ as command
from takin_jax.models.hubert import Hubert, HubertConfig
from tests import golden_case


def run(*args) -> int:
  return command.main(['hubert', *map(str, args)])


def change(folder, change_state) -> None:
  """Rewrites the state dict of a folder."""
  path = folder / 'model.safetensors'
  state = safetensors.load_file(path)
  change_state(state)
  safetensors.save_file(state, path)


def test_the_command_gives_the_reference_states(hubert_folder, tmp_path):
  out = tmp_path / 'out'
  assert run(hubert_folder, '--out', out) == 0
  config, params = weights.load(out)
  case = golden_case.load(f'hubert/{hubert_folder.name}')
  module = Hubert(build(HubertConfig, config.model.speech))
  states = module.apply({'params': params['speech']}, case.inputs['wave'])
  assert case.check('hidden_3', states[3]) < 2e-5


def test_dry_run_lists_every_tensor_and_writes_nothing(
  hubert_folder, tmp_path, capsys
):
  assert run(hubert_folder, '--dry-run', '--out', tmp_path / 'out') == 0
  lines = capsys.readouterr().out.splitlines()
  state = safetensors.load_file(hubert_folder / 'model.safetensors')
  for key in state:
    assert any(f' {key} ' in line for line in lines), key
  assert 'not needed for hidden states' in ''.join(lines)
  assert not (tmp_path / 'out').exists()


def test_groups_join_the_folder_that_is_there(hubert_folder, tmp_path):
  out, stats = tmp_path / 'out', {'mean': np.zeros(70, np.float32)}
  weights.save(out, {'name': 'a', 'model': {'motion': {}}}, {'stats': stats})
  assert run(hubert_folder, '--out', out) == 0
  config, params = weights.load(out)
  assert set(params) == {'stats', 'speech'}
  assert set(config.model) == {'motion', 'speech'}


@pytest.mark.parametrize(
  'key, words',
  [
    ('hubert.encoder.layers.1.attention.k_proj.bias', 'nothing fills'),
    ('hubert.encoder.layer_norm.weight', 'nothing fills layer_norm/scale'),
  ],
)
def test_missing_tensor(hubert_folder, tmp_path, capsys, key, words):
  change(hubert_folder, lambda state: state.pop(key))
  assert run(hubert_folder, '--out', tmp_path / 'out') == 2
  assert words in capsys.readouterr().err
  assert not (tmp_path / 'out').exists()


def test_all_mismatches_at_once(hubert_folder, tmp_path, capsys):
  def spoil(state):
    state['hubert.feature_projection.projection.weight'] = np.zeros((64, 31))
    state['hubert.strange.weight'] = np.zeros(3)
    state.pop('hubert.encoder.layer_norm.bias')

  change(hubert_folder, spoil)
  assert run(hubert_folder, '--out', tmp_path / 'out') == 2
  error = capsys.readouterr().err
  assert error.count('\n') == 1
  assert '3 mismatches' in error
  assert '[64, 31] gives [31, 64], projection/kernel needs [32, 64]' in error
  assert 'hubert.strange.weight [3] is unknown' in error
  assert 'nothing fills layer_norm/bias [64]' in error
  assert not (tmp_path / 'out').exists()


def test_same_tensor_twice(hubert_folder, tmp_path, capsys):
  key = 'encoder.layer_norm.bias'
  change(hubert_folder, lambda s: s.update({key: s[f'hubert.{key}'].copy()}))
  assert run(hubert_folder, '--out', tmp_path / 'out') == 2
  assert 'is the same as' in capsys.readouterr().err


def test_another_family(hubert_folder, tmp_path, capsys):
  path = hubert_folder / 'config.json'
  config = {**json.loads(path.read_text()), 'model_type': 'wav2vec2'}
  path.write_text(json.dumps(config))
  assert run(hubert_folder, '--out', tmp_path / 'out') == 2
  assert "type 'wav2vec2', not HuBERT" in capsys.readouterr().err


def test_foreign_weights(hubert_folder, tmp_path, capsys):
  state = {'bert.pooler.weight': np.zeros((2, 2), np.float32)}
  safetensors.save_file(state, hubert_folder / 'model.safetensors')
  assert run(hubert_folder, '--out', tmp_path / 'out') == 2
  assert 'another model' in capsys.readouterr().err


@pytest.mark.parametrize('size', [1, 100, 20_000])
def test_truncated(hubert_folder, tmp_path, capsys, size):
  path = hubert_folder / 'model.safetensors'
  path.write_bytes(path.read_bytes()[:size])
  assert run(hubert_folder, '--out', tmp_path / 'out') == 2
  assert 'damaged, truncated' in capsys.readouterr().err
  assert not (tmp_path / 'out').exists()


def test_missing_files(hubert_folder, tmp_path, capsys):
  (hubert_folder / 'model.safetensors').unlink()
  assert run(hubert_folder, '--out', tmp_path / 'out') == 2
  assert 'has neither' in capsys.readouterr().err
  (hubert_folder / 'config.json').unlink()
  assert run(hubert_folder, '--out', tmp_path / 'out') == 2
  assert 'There is no file' in capsys.readouterr().err
  assert run(tmp_path / 'no folder', '--out', tmp_path / 'out') == 2
  assert 'nor is it a hub name' in capsys.readouterr().err


def test_no_network(monkeypatch, tmp_path, capsys):
  monkeypatch.setenv('HF_HOME', str(tmp_path / 'cache'))
  huggingface_hub = pytest.importorskip('huggingface_hub')

  def fail(*args):
    raise ConnectionError('no network')

  monkeypatch.setattr(huggingface_hub, 'hf_hub_download', fail)
  assert run('facebook/hubert-base-ls960', '--out', tmp_path / 'out') == 2
  error = capsys.readouterr().err
  assert 'no network' in error and 'give a folder' in error
  assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
  ('key', 'value'),
  [
    ('conv_dim', 5),
    ('conv_dim', None),
    ('conv_dim', []),
    ('conv_dim', [8]),
    ('conv_dim', [-8] * 7),
    ('conv_dim', ['a'] * 7),
    ('conv_kernel', [0] * 7),
    ('conv_stride', [0] * 7),
    ('hidden_size', 0),
    ('hidden_size', '64'),
    ('hidden_size', 10**12),
    ('num_hidden_layers', -1),
    ('num_hidden_layers', 1.5),
    ('num_hidden_layers', 10**9),
    ('num_hidden_layers', 900),
    ('num_attention_heads', 0),
    ('num_attention_heads', 7),
    ('num_attention_heads', None),
    ('layer_norm_eps', 'x'),
    ('layer_norm_eps', float('nan')),
    ('num_conv_pos_embedding_groups', 3),
    ('num_conv_pos_embeddings', 0),
    ('feat_extract_norm', [1]),
    ('do_stable_layer_norm', 'x'),
    ('hidden_dropout', 'x'),
  ],
)
def test_sizes_that_no_hubert_has(hubert_folder, tmp_path, capsys, key, value):
  path = hubert_folder / 'config.json'
  path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
  assert run(hubert_folder, '--out', tmp_path / 'out') == 2
  error = capsys.readouterr().err
  assert 'config.json' in error and error.count('\n') == 1
  assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
  'names',
  [
    {'a': '../outside.safetensors'},
    {'a': '/dev/zero'},
    {'a': '..'},
    {'a': 5},
    {'a': {}},
    {'a': 'a\0b'},
    ['a'],
    None,
    {},
  ],
)
def test_shards_lie_beside_their_index(hubert_folder, tmp_path, capsys, names):
  shard = hubert_folder / 'model.safetensors'
  shard.rename(tmp_path / 'outside.safetensors')
  index = {'weight_map': names}
  (hubert_folder / f'{shard.name}.index.json').write_text(json.dumps(index))
  assert run(hubert_folder, '--out', tmp_path / 'out') == 2
  error = capsys.readouterr().err
  assert 'no file beside it' in error or 'no weight_map' in error
