"""The ablation baseline without the canonical loss (Takin eq. 1).

  python train.py --config=configs/ablation/no_canonical.py \
    --workdir=runs/no_canonical --config.data.records=records

Hardware, time and scores: see configs/ablation/baseline.py.
"""

import pathlib

from ml_collections import ConfigDict

from takin_jax.config import load_config


def get_config() -> ConfigDict:
  config = load_config(pathlib.Path(__file__).with_name('baseline.py'))
  config.name = 'nano_ablation_no_canonical'
  config.loss.canonical = 0.0
  return config
