"""Checkpoints to convert: real names and shapes, small files."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import numpy as safetensors

from takin_jax.convert.liveportrait import FILES
from tests import golden_case

CASES = {
  'appearance': 'appearance_full',
  'motion': 'motion_full',
  'warping': 'warping_full',
  'generator': 'spade_full',
}
MLPS = {
  'retarget_shoulder': 'stitching',
  'retarget_mouth': 'lip',
  'retarget_eye': 'eye',
}


def shapes(case: str) -> dict[str, tuple[int, ...]]:
  """PyTorch names and shapes of a golden case."""
  path = golden_case.FOLDER / 'liveportrait' / f'{case}.json'
  params = json.loads(path.read_text())['params']
  return {key: tuple(value['shape']) for key, value in params.items()}


def liveportrait_shapes() -> dict[str, dict[str, tuple[int, ...]]]:
  """Group -> names and shapes of its file, sub-dicts joined by dots."""
  out = {name: shapes(case) for name, case in CASES.items()}
  out['stitching'] = {
    f'{part}.module.{key}': shape
    for part, name in MLPS.items()
    for key, shape in shapes(f'mlp_{name}_full').items()
  }
  return out


@pytest.fixture
def liveportrait_folder(tmp_path) -> Path:
  """All five .pth files at full size; each tensor stores a single number."""
  torch = pytest.importorskip('torch')
  folder = tmp_path / 'pretrained_weights' / 'liveportrait' / 'base_models'
  folder.mkdir(parents=True)
  for name, state in liveportrait_shapes().items():
    tensors = {k: torch.ones(()).expand(s) for k, s in state.items()}
    if name == 'stitching':
      tree = {}
      for key, tensor in tensors.items():
        part, _, rest = key.partition('.')
        tree.setdefault(part, {})[rest] = tensor
      tensors = tree
    torch.save(tensors, folder / FILES[name])
  return folder


@pytest.fixture(params=['tiny_layer', 'tiny_group'])
def hubert_folder(tmp_path, request) -> Path:
  """A Hugging Face folder with the weights of a golden case."""
  case = golden_case.load(f'hubert/{request.param}')
  return write_hubert(tmp_path / request.param, case)


def write_hubert(folder: Path, case: golden_case.Case) -> Path:
  """As published: CTC prefix and head, old names of the weight norm."""
  folder.mkdir()
  config = {**case.spec['config'], 'model_type': 'hubert'}
  (folder / 'config.json').write_text(json.dumps(config))
  processor = json.dumps({'do_normalize': False})
  (folder / 'preprocessor_config.json').write_text(processor)
  old = case.spec['legacy_names']
  state = {f'hubert.{old.get(k, k)}': v for k, v in case.weights.items()}
  state['lm_head.weight'] = np.zeros((32, 64), np.float32)
  state['lm_head.bias'] = np.zeros(32, np.float32)
  safetensors.save_file(state, folder / 'model.safetensors')
  return folder
