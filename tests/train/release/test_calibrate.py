import numpy as np
import pytest

from takin_jax.train.release import calibrate

RNG = np.random.default_rng(0)


def test_the_slope_is_within_clips():
  clip = np.repeat(np.arange(4), 25)
  want = RNG.normal(size=(100, 21, 3))
  got = want * 0.6 + 5.0 * clip[:, None, None]
  opening = calibrate.OPENINGS['lids']
  assert calibrate.slope(got, want, clip, opening) == pytest.approx(0.6)


@pytest.mark.parametrize('name', calibrate.OPENINGS)
def test_openings_vary_more_around_their_mean_and_nothing_else(name):
  features = RNG.normal(size=(50, 8))
  head = {'kernel': RNG.normal(size=(8, 63)), 'bias': RNG.normal(size=63)}

  def exp(head):
    return (features @ head['kernel'] + head['bias']).reshape(-1, 21, 3)

  before, opening = exp(head), calibrate.OPENINGS[name]
  after = exp(calibrate.widen(head, before, opening, 1.5))
  for pair in opening.pairs:
    alone = calibrate.Opening([pair], opening.axis)
    old, new = (calibrate.gap(x, alone) for x in (before, after))
    np.testing.assert_allclose(new - old.mean(), 1.5 * (old - old.mean()))
    pair = list(pair)
    np.testing.assert_allclose(after[:, pair].mean(1), before[:, pair].mean(1))
  others = np.setdiff1d(np.arange(21), opening.pairs)
  np.testing.assert_array_equal(after[:, others], before[:, others])


def test_weights_without_an_extractor(tmp_path, capsys):
  calibrate.weights.save(tmp_path / 'w', {'model': {}}, {'a': np.zeros(1)})
  args = ['--records', 'x', '--weights', str(tmp_path / 'w')]
  assert calibrate.main(args) == 2
  assert 'no motion extractor' in capsys.readouterr().err
