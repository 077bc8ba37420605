"""Stage 1 of the nano model with the paper's losses, to compare runs with.

  for V in baseline no_canonical no_landmark neither; do
    python train.py --config=configs/ablation/$V.py --workdir=runs/$V \
      --config.data.records=records
    python -m takin_jax.train.release.export runs/$V --out weights/$V
  done
  python -m takin_jax.eval compare weights/baseline weights/no_canonical \
    weights/no_landmark weights/neither --table 4 --records records \
    --out report/ablation

The terms that only the nano recipe has, which also read landmarks, are off;
keypoints are the extractor's own from the first step. The weights are not
tuned. Hardware: any GPU; two CPU cores for a short version of 8 minutes each
(400 steps of 4 pairs from trained weights). Its scores: docs/losses.md. From
scratch: not yet measured.
"""

import importlib.util
import pathlib

from ml_collections import ConfigDict


def _nano_motion():
  path = pathlib.Path(__file__).parents[1] / 'nano_motion.py'
  spec = importlib.util.spec_from_file_location('nano_motion', path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


def get_config() -> ConfigDict:
  config = _nano_motion().get_config('renderer')
  config.name = 'nano_ablation_baseline'
  config.data.others = 1  # more pictures of the person, from any clip
  config.model.discriminator = ConfigDict(dict(block_expansion=8))
  config.optim.freeze = ()
  config.optim.decay_from = 0.4
  config.optim.separate = ConfigDict(
    dict(discriminator=dict(lr=4e-4, b1=0.5))  # its own optimiser
  )
  config.train.steps = 3000
  config.loss.update(
    dict(
      landmark=5.0,  # Takin eq. 2
      canonical=5.0,  # Takin eq. 1
      equivariance=2.0,
      keypoint_prior=2.0,
      prior_distance=1e-3,  # squared
      head_pose=0.03,  # per degree
      deformation=0.05,
      gan=0.1,  # hinge
      feature_matching=1.0,
      gan_px=64,  # side of the crop that is judged
      teacher_share=0.0,
    )
  )
  return config
