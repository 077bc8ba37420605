"""The ablation baseline without the canonical loss (Takin eq. 1).

  python train.py --config=configs/ablation/no_canonical.py \
    --workdir=runs/no_canonical --config.data.records=records

Hardware, time and scores: see configs/ablation/baseline.py.
"""

import importlib.util
import pathlib

from ml_collections import ConfigDict


def _baseline():
  path = pathlib.Path(__file__).with_name('baseline.py')
  spec = importlib.util.spec_from_file_location('baseline', path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


def get_config() -> ConfigDict:
  config = _baseline().get_config()
  config.name = 'nano_ablation_no_canonical'
  config.loss.canonical = 0.0
  return config
