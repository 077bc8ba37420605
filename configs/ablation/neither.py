"""The ablation baseline without canonical and landmark loss (eq. 1 and 2).

  python train.py --config=configs/ablation/neither.py \
    --workdir=runs/neither --config.data.records=records

Hardware, time and scores: see configs/ablation/baseline.py.
"""

import pathlib

from ml_collections import ConfigDict

from takin_jax.config import load_config


def get_config() -> ConfigDict:
  config = load_config(pathlib.Path(__file__).with_name('baseline.py'))
  config.name = 'nano_ablation_neither'
  config.loss.canonical = 0.0
  config.loss.landmark = 0.0
  return config
