"""Which frames of a clip are made again from which."""

from collections.abc import Iterable, Sequence

import numpy as np

from takin_jax.data.batches import frame_pairs
from takin_jax.eval.protocols.clips import Clip

_LEAK_DRIVING = 3  # frames that both sources are moved to

Arrays = dict[str, np.ndarray]


def far_pairs(clip: Clip) -> Arrays:
  """First frame to frames far from it, as in training's own figures."""
  places = (int(f * len(clip.found)) for f in frame_pairs.EVAL_FRACTIONS)
  return pairs(clip, ((clip.found[0], clip.found[i]) for i in places))


def judged_frames(clip: Clip, count: int) -> Arrays:
  """Most closed mouth to evenly spaced frames and to the extremes.

  Returns:
    The pairs, and `even` [N] bool: whether a frame is one of the former.
  """
  even = clip.even(count)
  extremes = [
    clip.extreme(what, pick)
    for what in ('lips', 'lids')
    for pick in (np.argmin, np.argmax)
  ]
  frames = np.unique([*even, *extremes])
  frames = frames[frames != clip.closed]
  out = pairs(clip, ((clip.closed, frame) for frame in frames))
  return out | {'even': np.isin(frames, even)}


def consecutive_frames(clip: Clip, count: int) -> Arrays:
  """Most closed mouth to the middle of the longest part with a face."""
  gaps = np.flatnonzero(np.diff(clip.found) > 1) + 1
  longest = max(np.split(clip.found, gaps), key=len)
  start = max(0, (len(longest) - count) // 2)
  return pairs(clip, ((clip.closed, i) for i in longest[start : start + count]))


def leak_pairs(clip: Clip, what: str) -> Arrays:
  """The frames with most open, then most closed 'lips' or 'lids' to others.

  Returns:
    The pairs: the first half has the open source, the second the closed one,
    with the same driving frames.
  """
  ends = [clip.extreme(what, pick) for pick in (np.argmax, np.argmin)]
  driving = [i for i in clip.even(_LEAK_DRIVING + 2) if i not in ends]
  driving = driving[:_LEAK_DRIVING] or ends[:1]
  return pairs(clip, ((end, i) for end in ends for i in driving))


def pairs(clip: Clip, frames: Iterable[Sequence[int]]) -> Arrays:
  """Pictures and landmark keypoints of (source, driving) frames.

  Returns:
    `source`, `driving` [N, H, H, 3] uint8; `source_x`, `driving_x`
    [N, 21, 3] in [-1, 1]; `lips`, `lids` [N] of the driving frames; `frame`
    [N] their numbers.
  """
  source, driving = np.array(list(frames), int).T
  geo = clip.geo.frames
  return {
    'source': clip.images(source),
    'driving': clip.images(driving),
    'source_x': geo['x'][source],
    'driving_x': geo['x'][driving],
    'lips': geo['lips'][driving, 0],
    'lids': geo['lids'][driving, 0],
    'frame': driving,
  }
