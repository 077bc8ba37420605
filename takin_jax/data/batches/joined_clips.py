"""Short clips of one person, one after the other, as one long clip.

A window of speech is 5 s long, many a clip is 1 s: alone it would fill a fifth
of the window, and what is learnt from padding is silence. Joined clips keep
their own rest pose; where two meet, nothing is learnt of the change from frame
to frame, and of the head nothing in clips too short to know its rest.
"""

from collections.abc import Sequence
import dataclasses
import os

import numpy as np

from takin_jax.data.batches.motion_clips import MotionClip, load_clips
from takin_jax.data.faces.blendshapes import NEUTRAL
from takin_jax.data.records import motion_cache
from takin_jax.face import SAMPLES_PER_FRAME

_LOUDEST = 32767
_NO_EMOTION = ('-', '', NEUTRAL)


def load_joined(
  folder: str | os.PathLike[str],
  split: str,
  cached: str,
  shorter: int,
  longest: int,
) -> list[MotionClip]:
  """Reads the clips of one split; short ones come joined.

  Args:
    folder: of records.
    split: 'train' or 'val'.
    cached: folder of `takin_jax.train.audio.extract`; '': none. With speech
      states in it, which belong to single clips, nothing is joined.
    shorter: see `join_short`; 0: nothing is joined.
    longest: likewise.
  """
  clips = load_clips(folder, split, cached)
  if not shorter or (cached and motion_cache.read_facts(cached).states):
    return clips
  return join_short(clips, shorter, longest)


def join_short(
  clips: Sequence[MotionClip], shorter: int, longest: int
) -> list[MotionClip]:
  """Joins the short clips of every person, in their order.

  Only speech without an emotion is joined.

  Args:
    clips: of one split.
    shorter: frames; clips of fewer are joined.
    longest: frames; a joined clip ends before it has more, but not before it
      has two parts.

  Returns:
    The other clips, then the joined ones.
  """
  kept, people = [], {}
  for clip in clips:
    plain = clip.speech and clip.emotion in _NO_EMOTION
    if plain and len(clip.motion) < shorter:
      people.setdefault(clip.person, []).append(clip)
    else:
      kept.append(clip)
  for own in people.values():
    group: list[MotionClip] = []
    for clip in own:
      frames = sum(len(c.motion) for c in (*group, clip))
      if len(group) > 1 and frames > longest:
        kept.append(_joined(group))
        group = []
      group.append(clip)
    kept.append(_joined(group))
  return kept


def _joined(parts: Sequence[MotionClip]) -> MotionClip:
  """One clip, its sound as loud as the middle one of the parts."""
  if len(parts) == 1:
    return parts[0]
  lengths = [len(c.motion) for c in parts]
  sounds = [_fitted(c.audio, n) for c, n in zip(parts, lengths, strict=True)]
  levels = [np.sqrt(np.square(s).mean()) + 1.0 for s in sounds]
  loud = np.concatenate(
    [
      s * (np.median(levels) / level)
      for s, level in zip(sounds, levels, strict=True)
    ]
  )
  strength = [c.strength for c in parts if len(c.strength)]
  return dataclasses.replace(
    parts[0],
    id=f'{parts[0].id}+{len(parts) - 1}',
    motion=np.concatenate([c.motion for c in parts]),
    audio=np.rint(np.clip(loud, -_LOUDEST, _LOUDEST)).astype(np.int16),
    strength=np.concatenate(strength or [np.zeros(0)]),
    joints=np.cumsum(lengths[:-1]),
  )


def _fitted(audio: np.ndarray, frames: int) -> np.ndarray:
  """[frames * 640] float64 sound, silence where it ends before."""
  samples = frames * SAMPLES_PER_FRAME
  audio = audio[:samples].astype(np.float64)
  return np.pad(audio, (0, samples - len(audio)))
