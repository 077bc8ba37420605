import jax
import numpy as np
import pytest

from takin_jax.animation import speech_step
from takin_jax.animation.chunks import ChunkConfig
from takin_jax.diffusion.schedule import DiffusionConfig

SOUND = np.random.default_rng(0).uniform(-0.5, 0.5, 4 * 640).astype('f')


def keys(*sounds, seed=None):
  """The stream's key after each of these chunks of sound."""
  state = speech_step.first_state(DiffusionConfig(), ChunkConfig(), 70, seed)
  found = []
  for sound in sounds:
    key, unseeded = speech_step._stream_key(state, sound)
    key = np.asarray(jax.random.key_data(key))
    state = state.replace(key=key, unseeded=unseeded)
    found.append(tuple(key.tolist()))
  return found


def test_without_a_seed_the_sound_decides():
  other = np.random.default_rng(1).uniform(-0.5, 0.5, 4 * 640).astype('f')
  sounds = (SOUND, other, -SOUND, SOUND[::-1].copy())
  assert len({keys(sound)[0] for sound in sounds}) == 4


def test_a_copy_is_spoken_alike():
  stored = np.round(SOUND * 2**15).astype(np.int16) / np.float32(2**15)
  assert keys(SOUND) == keys(stored) == keys(0.5 * SOUND)


def test_the_first_sound_decides_for_the_whole_stream():
  silence = np.zeros_like(SOUND)
  before, first, later = keys(silence, SOUND, -SOUND)
  assert before != first == later == keys(SOUND)[0]


@pytest.mark.parametrize('seed', [0, 3])
def test_a_seed_is_the_same_for_all_that_is_said(seed):
  want = tuple(np.asarray(jax.random.key_data(jax.random.key(seed))).tolist())
  assert keys(SOUND, -SOUND, seed=seed) == [want, want]
