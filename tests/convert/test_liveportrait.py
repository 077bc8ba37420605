"""LivePortrait's files through the command: names, shapes, what is refused."""

import jax
import numpy as np
import pytest

from takin_jax import renderer
from takin_jax.convert import __main__ as command
from takin_jax.convert import liveportrait
from takin_jax.convert.liveportrait import FILES
from tests.convert import conftest as made

torch_only = pytest.mark.torch


def run(*args) -> int:
  return command.main(['liveportrait', *map(str, args)])


def test_published_names_and_shapes_are_a_bijection():
  """Every tensor is used or ignored, every array is filled, counts agree."""
  states = {
    name: {k: np.broadcast_to(np.float32(1), s) for k, s in state.items()}
    for name, state in made.liveportrait_shapes().items()
  }
  model, results = liveportrait.convert(states)
  for name, result in results.items():
    assert result.errors == [], name
    ignored = [row.source for row in result.rows if not row.target]
    assert all(k.endswith('num_batches_tracked') for k in ignored)
  params = liveportrait.merge(results)
  sizes = {
    name: sum(x.size for x in jax.tree.leaves(tree))
    for name, tree in params.items()
  }
  assert sizes == {
    'appearance': 836_224,
    'motion': 28_118_728,
    'warping': 45_529_829,
    'generator': 55_365_388,
    'stitching': 45_249 + 37_311 + 144_703,
    renderer.STATS: 81_380,
  }
  assert model['image_size'] == 512


def test_picture_size_follows_the_last_layer():
  states = {'generator': {'conv_img.weight': np.zeros((3, 64, 3, 3))}}
  model = liveportrait.model_block(states)
  assert model['generator']['upscale'] == 1 and model['image_size'] == 256


def load(folder, name):
  import torch

  return torch.load(folder / FILES[name], weights_only=True)


def save(folder, name, tree) -> None:
  import torch

  torch.save(tree, folder / FILES[name])


@torch_only
def test_dry_run_of_a_tree(liveportrait_folder, tmp_path, capsys):
  tree = liveportrait_folder.parents[1]
  assert run(tree, '--dry-run') == 0
  text = capsys.readouterr().out
  assert text.count('0 mismatches') == 5
  assert 'generator: fc.weight [512, 256, 3, 3] -> fc/conv/kernel' in text


@torch_only
def test_prefixes(liveportrait_folder, capsys):
  state = load(liveportrait_folder, 'warping')
  prefixed = {f'module.{k}': v for k, v in state.items()}
  save(liveportrait_folder, 'warping', {'state_dict': prefixed})
  state = load(liveportrait_folder, 'motion')
  bare = {k.removeprefix('detector.'): v for k, v in state.items()}
  save(liveportrait_folder, 'motion', bare)
  assert run(liveportrait_folder, '--dry-run') == 0


@torch_only
def test_old_serialisation(liveportrait_folder):
  import torch

  state = load(liveportrait_folder, 'appearance')
  torch.save(
    state,
    liveportrait_folder / FILES['appearance'],
    _use_new_zipfile_serialization=False,
  )
  assert run(liveportrait_folder, '--dry-run') == 0


def refused(folder, tmp_path, capsys) -> str:
  """The error: one line, code 2, nothing written."""
  assert run(folder, '--out', tmp_path / 'out') == 2
  error = capsys.readouterr().err
  assert error.count('\n') == 1, error
  assert not (tmp_path / 'out').exists()
  return error


@torch_only
def test_all_mismatches_at_once(liveportrait_folder, tmp_path, capsys):
  import torch

  state = load(liveportrait_folder, 'generator')
  state.pop('fc.bias')
  state['up_0.conv_s.weight_orig'] = torch.zeros(256, 511, 1, 1)
  save(liveportrait_folder, 'generator', state)
  state = load(liveportrait_folder, 'appearance')
  state['extra.weight'] = torch.zeros(2)
  save(liveportrait_folder, 'appearance', state)
  error = refused(liveportrait_folder, tmp_path, capsys)
  assert '3 mismatches' in error
  assert 'gives [1, 1, 511, 256], up0/conv_s/kernel needs' in error
  assert 'nothing fills fc/conv/bias [512]' in error
  assert 'extra.weight [2] is unknown' in error


@torch_only
def test_missing_file(liveportrait_folder, tmp_path, capsys):
  (liveportrait_folder / FILES['warping']).unlink()
  (liveportrait_folder / FILES['stitching']).unlink()
  error = refused(liveportrait_folder, tmp_path, capsys)
  assert FILES['warping'] in error and FILES['stitching'] in error
  assert 'no folder' in refused(tmp_path / 'none', tmp_path, capsys)


class Attack:
  """A pickle that would run a command when it is opened."""

  def __reduce__(self):
    import os

    return os.system, ('touch executed',)


@torch_only
@pytest.mark.parametrize('new_format', [True, False])
def test_pickle_with_code(
  liveportrait_folder, tmp_path, capsys, monkeypatch, new_format
):
  import torch

  monkeypatch.chdir(tmp_path)
  path = liveportrait_folder / FILES['motion']
  torch.save({'a': Attack()}, path, _use_new_zipfile_serialization=new_format)
  error = refused(liveportrait_folder, tmp_path, capsys)
  assert 'refused' in error and 'run any code' in error
  assert not (tmp_path / 'executed').exists()


@torch_only
@pytest.mark.parametrize('new_format', [True, False])
@pytest.mark.parametrize('size', [1, 10, 2000])
def test_truncated(liveportrait_folder, tmp_path, capsys, new_format, size):
  import torch

  path = liveportrait_folder / FILES['motion']
  state = load(liveportrait_folder, 'motion')
  torch.save(state, path, _use_new_zipfile_serialization=new_format)
  path.write_bytes(path.read_bytes()[:size])
  assert 'damaged, truncated' in refused(liveportrait_folder, tmp_path, capsys)


@torch_only
def test_wrong_family(liveportrait_folder, tmp_path, capsys):
  state = load(liveportrait_folder, 'motion')
  save(liveportrait_folder, 'warping', state)
  error = refused(liveportrait_folder, tmp_path, capsys)
  assert "'warping' is of another model" in error


@torch_only
def test_no_state_dict(liveportrait_folder, tmp_path, capsys):
  save(liveportrait_folder, 'warping', {'epoch': 3})
  assert 'is no tensor' in refused(liveportrait_folder, tmp_path, capsys)
