"""The ablation baseline without the landmark loss (Takin eq. 2).

  python train.py --config=configs/ablation/no_landmark.py \
    --workdir=runs/no_landmark --config.data.records=records

Hardware, time and scores: see configs/ablation/baseline.py.
"""

import pathlib

from ml_collections import ConfigDict

from takin_jax.config import load_config


def get_config() -> ConfigDict:
  config = load_config(pathlib.Path(__file__).with_name('baseline.py'))
  config.name = 'nano_ablation_no_landmark'
  config.loss.landmark = 0.0
  return config
