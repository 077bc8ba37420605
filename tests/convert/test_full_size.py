"""From .pth files to the reference's pictures, at full size.

The files hold the golden cases' weights; the command converts them; inference
folds the norms and must give the reference outputs.
"""

import numpy as np
import pytest

from takin_jax.config import build
from takin_jax.convert import __main__ as command
from takin_jax.convert.liveportrait import FILES
from takin_jax.infer import checkpoint
from takin_jax.models.appearance import AppearanceConfig, AppearanceExtractor
from takin_jax.models.generator import Generator, GeneratorConfig
from takin_jax.models.motion import MotionConfig, MotionExtractor
from takin_jax.models.stitching import Stitching, StitchingConfig
from takin_jax.models.warping import WarpingConfig, WarpingModule
from tests import golden_case
from tests.convert.conftest import CASES, MLPS
from tests.parity.layout import to_first, to_last

pytestmark = [pytest.mark.slow, pytest.mark.torch]


@pytest.fixture(scope='module')
def cases():
  return {
    name: golden_case.load(f'liveportrait/{case}')
    for name, case in CASES.items()
  }


@pytest.fixture(scope='module')
def converted(cases, tmp_path_factory):
  """Config and folded parameters of the converted folder."""
  torch = pytest.importorskip('torch')
  source = tmp_path_factory.mktemp('pth')
  out = tmp_path_factory.mktemp('out') / 'weights'
  for name, case in cases.items():
    state = {k: torch.tensor(v) for k, v in case.weights.items()}
    torch.save(state, source / FILES[name])
  tree = {}
  for part, name in MLPS.items():
    case = golden_case.load(f'liveportrait/mlp_{name}_full')
    tree[part] = {k: torch.tensor(v) for k, v in case.weights.items()}
  torch.save(tree, source / FILES['stitching'])
  assert command.main(['liveportrait', str(source), '--out', str(out)]) == 0
  return checkpoint.load(out, 'configs/motion.py')


def test_numbers(cases, converted):
  config, params = converted
  model = config.model

  def run(name, module, cfg, *args):
    module = module(build(cfg, model[name]))
    return module.apply({'params': params[name]}, *args)

  inputs = {name: case.inputs for name, case in cases.items()}
  out = run(
    'appearance',
    AppearanceExtractor,
    AppearanceConfig,
    to_last(inputs['appearance']['image']),
  )
  volume = to_first(out['volume'])
  assert cases['appearance'].check('out', volume) < 5e-5
  kp, motion = run(
    'motion',
    MotionExtractor,
    MotionConfig,
    to_last(inputs['motion']['image']),
  )
  for name, value in (('kp', kp), ('exp', motion.exp)):
    assert cases['motion'].check(name, value.reshape(1, -1)) < 5e-5
  assert cases['motion'].check('scale', motion.scale) < 5e-5
  given = inputs['warping']
  out = run(
    'warping',
    WarpingModule,
    WarpingConfig,
    {'volume': to_last(given['feature'])},
    given['kp_source'],
    given['kp_driving'],
  )
  assert cases['warping'].check('out', to_first(out['feature'])) < 5e-4
  feature = {'feature': to_last(inputs['generator']['feature'])}
  out = run('generator', Generator, GeneratorConfig, feature, None, None, None)
  assert cases['generator'].check('out', to_first(out['image'])) < 5e-5


def test_stitching(converted):
  config, params = converted
  module = Stitching(build(StitchingConfig, config.model.stitching))
  with np.load(golden_case.FOLDER / 'liveportrait/functional.npz') as z:
    pair = (z['stitch_kp_source'], z['stitch_kp_driving'])
    got = module.apply({'params': params['stitching']}, *pair)
    assert np.abs(np.asarray(got) - z['stitch_out']).max() < 2e-5
