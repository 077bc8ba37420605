import jax
import jax.numpy as jnp
import numpy as np

from takin_jax.models.articulation import Articulation, ArticulationConfig

CFG = ArticulationConfig(frames=3, exp_dim=6)


def test_a_frame_hears_its_own_two_states_and_the_neighbours():
  module, states = Articulation(CFG), jnp.zeros((1, 20, 4))
  params = module.init(jax.random.key(0), states)
  assert module.apply(params, states).shape == (1, 10, 6)
  kernel = jnp.ones_like(params['params']['conv']['kernel'])
  params = {'params': {'conv': {**params['params']['conv'], 'kernel': kernel}}}
  out = module.apply(params, states.at[0, 10].set(1.0))  # of frame 5
  np.testing.assert_array_equal(np.flatnonzero(out[0, :, 0]), [4, 5, 6])
  constant = module.apply(params, jnp.ones_like(states))  # the ends as well
  np.testing.assert_allclose(constant, constant[0, 0, 0])


def test_a_new_map_tells_nothing():
  states = jax.random.normal(jax.random.key(0), (2, 8, 4))
  out, _ = Articulation(CFG).init_with_output(jax.random.key(1), states)
  np.testing.assert_array_equal(out, 0.0)
