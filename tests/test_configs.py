"""Every config loads, names only what exists, and builds its networks."""

import importlib.util
from pathlib import Path

import jax
import pytest

from takin_jax.config import build, load_config
from takin_jax.data.batches.frame_pairs import PairConfig
from takin_jax.data.batches.motion_windows import WindowConfig
from takin_jax.data.speech.batches import SpeechConfig
from takin_jax.train.optim import OptimConfig, make_optimizer
from takin_jax.train.task import task_for

CONFIGS = sorted((Path(__file__).parents[1] / 'configs').rglob('*.py'))
DATA = {'motion': PairConfig, 'speech': SpeechConfig, 'audio': WindowConfig}


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_config_builds(path):
  config = load_config(path)
  assert config.name
  config.data.records = ''  # facts of the right shapes
  task = task_for(config)
  params = jax.eval_shape(task.init, jax.random.key(config.seed))
  build(DATA[config.stage], config.data)
  make_optimizer(build(OptimConfig, config.optim), config.train.steps)
  sizes = [x.size for x in jax.tree.leaves(params)]
  assert sum(sizes) < (20e6 if config.name.startswith('nano') else 2e9)


@pytest.mark.parametrize('phase', ['extractor', 'renderer', 'joint', 'finish'])
def test_every_phase_of_nano_builds(phase):
  path = next(path for path in CONFIGS if path.stem == 'nano_motion')
  spec = importlib.util.spec_from_file_location(path.stem, path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  config = module.get_config(phase)
  config.data.records = ''  # facts of the right shapes
  task = task_for(config)
  params = jax.eval_shape(task.init, jax.random.key(config.seed))
  build(DATA[config.stage], config.data)
  assert ('discriminator' in params) == (phase == 'finish')
  assert set(config.optim.freeze) <= set(params)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_config_says_how_to_run_it(path):
  text = path.read_text()
  assert text.startswith('"""'), 'a config explains itself'
  assert 'train.py --config=' in text
