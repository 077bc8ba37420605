import dataclasses

import jax
import numpy as np

from takin_jax.animation import stitching
from takin_jax.models.stitching import Stitching, StitchingConfig

CFG = StitchingConfig(stitching=(8,), lip=(8,), eye=(8,))
MODEL = {'stitching': dataclasses.asdict(CFG)}
KP = np.random.default_rng(0).standard_normal((2, 1, CFG.num_kp, 3)).astype('f')


def params():
  module = Stitching(CFG)
  return {
    'stitching': module.init(jax.random.key(0), KP[0], method='all')['params']
  }


def test_without_the_networks_nothing_changes():
  np.testing.assert_array_equal(stitching.stitch(MODEL, {}, *KP), KP[1])


def test_the_networks_are_applied():
  found = stitching.stitch(MODEL, params(), *KP)
  want = Stitching(CFG).apply({'params': params()['stitching']}, *KP)
  np.testing.assert_array_equal(found, want)
  assert (found != KP[1]).any()


def test_wanted_openings_give_offsets():
  lips = stitching.open_lips(MODEL, params(), KP[0], np.ones((1, 2), 'f'))
  eyes = stitching.open_eyes(MODEL, params(), KP[0], np.ones((1, 3), 'f'))
  assert lips.shape == eyes.shape == KP[0].shape
  assert (lips != eyes).any()
