import jax
import numpy as np
import pytest

from takin_jax.animation import speech_step
from takin_jax.animation.chunks import ChunkConfig
from takin_jax.diffusion.schedule import DiffusionConfig

SOUND = np.random.default_rng(0).uniform(-0.5, 0.5, 4 * 640).astype('f')


def noise(sound, seed=None, chunk_index=0):
  state = speech_step.first_state(DiffusionConfig(), ChunkConfig(), 70, seed)
  state = state.replace(chunk_index=np.int32(chunk_index))
  key = speech_step._noise_key(state, sound)
  return tuple(np.asarray(jax.random.key_data(key)).tolist())


def test_without_a_seed_the_sound_decides():
  assert noise(SOUND) == noise(SOUND.copy())
  changed = SOUND.copy()
  changed[7] += 1e-3
  others = {noise(x) for x in (changed, -SOUND, SOUND[::-1].copy())}
  assert len({noise(SOUND), *others}) == 4


@pytest.mark.parametrize('seed', [0, 3])
def test_a_seed_is_the_same_for_all_that_is_said(seed):
  key = jax.random.fold_in(jax.random.key(seed), 2)
  want = tuple(np.asarray(jax.random.key_data(key)).tolist())
  for sound in (SOUND, -SOUND):
    assert noise(sound, seed, chunk_index=2) == want


def test_chunks_do_not_share_their_noise():
  for seed in (None, 0):
    assert noise(SOUND, seed, 0) != noise(SOUND, seed, 1)
