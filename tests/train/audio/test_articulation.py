import dataclasses

import numpy as np
import pytest

from takin_jax import face, weights
from takin_jax.config import build
from takin_jax.models.articulation import Articulation, ArticulationConfig
from takin_jax.train.audio import articulation
from takin_jax.train.audio.articulation import Heard, fit

CFG = ArticulationConfig(frames=3)
TRUTH = np.random.default_rng(1).normal(size=(5, face.EXP_DIM))
TRUTH = (TRUTH + articulation._mirrored(TRUTH)) / 2


def heard(person, seed, frames=60, noise=0.0):
  """Expressions that follow the frame before."""
  rng = np.random.default_rng(seed)
  states = rng.normal(size=(frames, 5)) + 3.0
  before = np.concatenate([states[:1], states[:-1]])
  exp = (before - 3.0) @ TRUTH + noise * rng.normal(size=(frames, face.EXP_DIM))
  return Heard(person, states, exp - exp.mean(0))


def read(params, states):
  twice = np.repeat(states, 2, 0)[None]
  return Articulation(CFG).apply({'params': params}, twice)[0]


def test_the_fit_finds_a_linear_map_and_reads_it_at_every_frame():
  clips = [heard(person, seed, 3000) for seed, person in enumerate('aabc')]
  params = fit(clips, CFG, shrinkage=1e-6)
  fresh = heard('d', 9)
  made = np.asarray(read(params, fresh.states))
  np.testing.assert_allclose(made - made.mean(0), fresh.exp, atol=0.3)
  shrunk = fit(clips, CFG, shrinkage=1.0)
  assert np.std(read(shrunk, fresh.states)) < 0.8 * np.std(fresh.exp)


def test_both_sides_move_alike():
  one_sided = dataclasses.replace(heard('a', 0))
  one_sided.exp[:, : 3 * (1 + face.MOUTH_CORNERS[0])] *= 2.0
  kernel = fit([one_sided], CFG)['conv']['kernel']
  np.testing.assert_allclose(articulation._mirrored(kernel), kernel, atol=1e-6)


def test_nobody_counts_by_their_minutes_alone():
  few = heard('a', 0, 40)
  many = dataclasses.replace(heard('b', 1, 1600), exp=np.zeros((1600, 63)))
  fresh = heard('d', 9)
  made = read(fit([few, many], CFG, 1e-6), fresh.states)
  share = (made * fresh.exp).sum() / np.square(fresh.exp).sum()
  # By minutes it would be 1 / 41.
  assert share == pytest.approx(40**0.6 / (40**0.6 + 1600**0.6), abs=0.05)


def test_the_command_writes_what_stage_2_starts_from(tmp_path, monkeypatch):
  monkeypatch.setattr(
    articulation, 'open_group', lambda path, group: ({}, {group: np.zeros(1)})
  )
  monkeypatch.setattr(
    articulation, 'hear', lambda clips, *_: [heard('a', 0), heard('b', 1)]
  )
  monkeypatch.setattr(articulation, 'load_joined', lambda *_: [])
  out = tmp_path / 'out'
  args = ['--records', 'r', '--speech', 's', '--out', str(out)]
  assert articulation.main(args) == 0
  config, params = weights.load(out)
  cfg = build(ArticulationConfig, config.model.articulation)
  assert params['articulation']['conv']['kernel'].shape == (
    2 * cfg.frames,
    5,
    cfg.exp_dim,
  )
