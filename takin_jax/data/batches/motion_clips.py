"""Clips as motion: what stage 2 learns from, its statistics and emotions.

In: records of `takin_jax.data.prepare`. Out, per clip: sound and motion vectors
at 25 fps, from landmarks and pose matrix, or from the motion extractor through
a cache of `takin_jax.train.audio.extract`. Expressions are offsets from the
person's canonical keypoints; scale, translation and pose are relative to the
clip's rest (its median).
"""

from collections.abc import Mapping, Sequence
import dataclasses
import os

import numpy as np

from takin_jax import face
from takin_jax.data import records
from takin_jax.data.faces import blendshapes, expressions
from takin_jax.data.records import motion_cache
from takin_jax.data.records.clip_geometry import ClipGeometry, load_geometry

# Lowest and highest scale, translation (x, y, z) and angles that are kept.
POSE_LOW = np.array([0.8, -0.3, -0.3, 0.0, -25, -25, -25], np.float32)
POSE_HIGH = np.array([1.25, 0.3, 0.3, 0.0, 25, 25, 25], np.float32)
MIN_STD = 1e-3
# Lips, the rest of the face, and the head.
PARTS = (face.LIPS, face.UPPER_FACE, face.HEAD)
MIN_SHARE = 0.1  # of the deviation along their main direction
MIN_HEAD_FRAMES = 70  # of a part of a clip that tells how heads move

_SMOOTHING = np.array([1, 4, 6, 4, 1]) / 16  # of the head's motion, in time
_NO_EMOTION = ('-', '', blendshapes.NEUTRAL)


@dataclasses.dataclass(frozen=True)
class MotionClip:
  """One clip.

  Attributes:
    id: name of the record.
    person: who it shows.
    emotion: its label, or '-'.
    speech: whether its sound goes with its lips.
    motion: float32 [T, 70]: exp, scale, t, pitch, yaw, roll (degrees).
    kp: float32 [21, 3] canonical keypoints of the person.
    audio: int16 [S] 16 kHz; empty without sound.
    starts: int [W] first frames of the windows whose speech is cached.
    strength: [T] how much each frame counts for the clip's emotion; empty:
      all the same.
    landmark_keypoints: whether the keypoints follow landmarks, see `face.py`.
    joints: int [J] frames at which another clip of the person goes on, see
      `joined_clips`.
  """

  id: str
  person: str
  emotion: str
  speech: bool
  motion: np.ndarray
  kp: np.ndarray
  audio: np.ndarray
  starts: np.ndarray = dataclasses.field(
    default_factory=lambda: np.zeros(0, np.int32)
  )
  strength: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))
  landmark_keypoints: bool = True
  joints: np.ndarray = dataclasses.field(
    default_factory=lambda: np.zeros(0, np.int32)
  )

  @property
  def parts(self) -> np.ndarray:
    """[T] number of the part that each frame belongs to."""
    return np.searchsorted(self.joints, np.arange(len(self.motion)), 'right')

  @property
  def knows_head(self) -> np.ndarray:
    """bool [T], whether a frame's part is long enough to know its rest."""
    parts = self.parts
    return np.bincount(parts)[parts] >= MIN_HEAD_FRAMES

  @property
  def mean_exp(self) -> np.ndarray:
    """[63] mean expression."""
    return self.motion[:, face.EXP].mean(0)


def load_clips(
  folder: str | os.PathLike[str], split: str = 'train', cached: str = ''
) -> list[MotionClip]:
  """Reads the clips of one split.

  Args:
    folder: of records.
    split: 'train' or 'val'.
    cached: folder of `takin_jax.train.audio.extract`; '': none.

  Raises:
    RecordsError: if there are none, or the cache lacks one.
  """
  clips = []
  paths = records.clip_paths(folder)
  geometry = load_geometry(folder)
  names = records.blendshape_names(folder)
  heads = {
    c.id: motion_cache.read_head(cached, c.id) for c in geometry if cached
  }
  kps = _cached_keypoints(geometry, heads)
  for path, clip in zip(paths, geometry, strict=True):
    if clip.meta.get('split', 'train') != split or len(clip.found) < 2:
      continue
    record, head = records.read_head(path), heads.get(clip.id, {})
    audio, emotion = record.audio, clip.meta.get('emotion') or '-'
    shapes = blendshapes.both_sides(names, record.blendshapes) if names else {}
    strength = blendshapes.strength(emotion, shapes, len(record.found))
    clips.append(
      MotionClip(
        id=clip.id,
        person=clip.person,
        emotion=emotion,
        speech=clip.meta.get('speech') in (True, 'yes') and len(audio) > 0,
        motion=_motion(head if kps else clip.frames, clip.found),
        kp=kps.get(clip.person, clip.kp),
        audio=audio,
        starts=head.get('starts', np.zeros(0, np.int32)),
        strength=np.where(record.found, strength, 0.0),
        landmark_keypoints=not kps,
      )
    )
  if not clips:
    raise records.EmptySplitError(folder, split)
  return clips


def _cached_keypoints(
  clips: Sequence[ClipGeometry], heads: Mapping[str, Mapping[str, np.ndarray]]
) -> dict[str, np.ndarray]:
  """[K, 3] by person: the mean of the extractor's, if they are cached."""
  people: dict[str, list[np.ndarray]] = {}
  for clip in clips:
    if 'kp' in heads.get(clip.id, {}):
      found = heads[clip.id]['kp'][clip.found]
      people.setdefault(clip.person, []).append(found)
  return {k: np.concatenate(v).mean(0) for k, v in people.items()}


def _motion(frames: Mapping[str, np.ndarray], found: np.ndarray) -> np.ndarray:
  """Motion vectors [T, 70] of a clip, gaps filled, head relative to rest."""
  length = len(frames['exp'])
  exp = _filled(frames['exp'].reshape(length, -1), found)
  scale, t, pose = (_filled(frames[k], found) for k in ('scale', 't', 'pose'))
  head = np.concatenate([scale, t, pose], -1)
  rest = np.median(head, 0)
  head[:, :1] /= rest[:1]
  head[:, 1:] -= rest[1:]
  head = np.clip(_smooth(head), POSE_LOW, POSE_HIGH)
  return np.concatenate([exp, head], -1).astype(np.float32)


def _filled(x: np.ndarray, found: np.ndarray) -> np.ndarray:
  """[T, C] with the frames that are not in `found` interpolated."""
  at = np.arange(len(x))
  return np.stack([np.interp(at, found, c[found]) for c in x.T], -1)


def _smooth(x: np.ndarray) -> np.ndarray:
  """Removes the landmarker's tremble from [T, C]."""
  half = len(_SMOOTHING) // 2
  padded = np.pad(x, ((half, half), (0, 0)), 'edge')
  return sum(
    w * padded[i : i + len(x)] for i, w in enumerate(_SMOOTHING.tolist())
  )


def motion_stats(
  clips: Sequence[MotionClip],
) -> tuple[np.ndarray, np.ndarray]:
  """Mean and standard deviation [70] over speech, or over all without any.

  Numbers that hardly move keep a floor of deviation, or their noise would
  count as much as the lips. The head's come from clips that know its rest, if
  there are any.
  """
  motion, head = _spoken(clips)
  mean, std = motion.mean(0), motion.std(0)
  mean[face.HEAD], std[face.HEAD] = head.mean(0), head.std(0)
  return mean.astype(np.float32), np.maximum(std, MIN_STD).astype(np.float32)


def motion_directions(clips: Sequence[MotionClip]) -> np.ndarray:
  """What moves together: principal directions of lips, face and head.

  Each of the three keeps its own numbers, for they are weighed and smoothed
  apart. Directions that hardly matter keep a floor of deviation.

  Returns:
    [70, 70]: rows are orthogonal directions in motion divided by its
    deviation (`motion_stats`), as long as motion deviates along them.
  """
  mean, std = motion_stats(clips)
  motion, head = _spoken(clips)
  mix = np.zeros((len(mean),) * 2)
  for part in PARTS:
    moved = head if part == face.HEAD else motion[:, part]
    scaled = (moved - mean[part]) / std[part]
    power, directions = np.linalg.eigh(np.cov(scaled.T))
    length = np.sqrt(np.maximum(power, MIN_SHARE**2 * power.max()))
    mix[part, part] = length[::-1, None] * directions.T[::-1]
  return mix.astype(np.float32)


def _spoken(clips: Sequence[MotionClip]) -> tuple[np.ndarray, np.ndarray]:
  """Motion of all speech, or of everything without any.

  Returns:
    float64 [N, 70], and the head's numbers [H, 7] of the frames that know
    them; of all, if none does.
  """
  chosen = [c for c in clips if c.speech] or list(clips)
  motion = np.concatenate([c.motion for c in chosen]).astype(np.float64)
  knows = np.concatenate([c.knows_head for c in chosen])
  return motion, motion[knows if knows.any() else ~knows, face.HEAD]


def named_emotions(clips: Sequence[MotionClip]) -> dict[str, np.ndarray]:
  """Expressions of named emotions.

  Of landmark keypoints, those of `expressions`. Of others, which only data
  can tell: the mean of every labelled emotion, frames by their strength,
  relative to the person's own face at rest (clips that are neutral or
  unlabelled), or the offset would be another person's shape; only where
  nobody has such clips, relative to the average face at rest. People count by
  how strongly they show it, however long their clips are. Either is added to
  the mean expression in neutral speech.

  Returns:
    `neutral` and the others by name: [3K] each.
  """
  neutral = _neutral(clips)
  if all(clip.landmark_keypoints for clip in clips):
    offsets = {
      name: expressions.offset(name) for name in expressions.EXPRESSIONS
    }
  else:
    offsets = _shown_emotions(clips)
  vectors = {blendshapes.NEUTRAL: neutral}
  vectors |= {name: neutral + offset for name, offset in offsets.items()}
  return {k: np.asarray(v, np.float32) for k, v in vectors.items()}


def _shown_emotions(clips: Sequence[MotionClip]) -> dict[str, np.ndarray]:
  """What labelled clips add to a face at rest, by emotion: [3K] each."""
  rest: dict[str, list[np.ndarray]] = {}
  shown: dict[str, dict[str, list[MotionClip]]] = {}
  for clip in clips:
    if clip.emotion in _NO_EMOTION:
      own_face = clip.kp.reshape(-1) + clip.mean_exp
      rest.setdefault(clip.person, []).append(own_face)
    else:
      people = shown.setdefault(clip.emotion, {})
      people.setdefault(clip.person, []).append(clip)
  faces = {person: np.mean(x, 0) for person, x in rest.items()}
  average = np.mean(list(faces.values()), 0) if faces else 0.0
  means = {}
  for emotion, people in sorted(shown.items()):
    known = {k: v for k, v in people.items() if k in faces} or people
    offsets, weights = [], []
    for person, own in sorted(known.items()):
      strong, weight = _strong_face(own)
      offsets.append(strong - faces.get(person, average))
      weights.append(weight)
    means[emotion] = np.average(offsets, 0, weights)
  return means


def _strong_face(clips: Sequence[MotionClip]) -> tuple[np.ndarray, float]:
  """[63] face of a person, frames by their strength, and its mean."""
  weights = [
    c.strength if len(c.strength) else np.ones(len(c.motion)) for c in clips
  ]
  faces = [c.kp.reshape(-1) + c.motion[:, face.EXP] for c in clips]
  weight = np.concatenate(weights)
  return np.average(np.concatenate(faces), 0, weight), float(weight.mean())


def _neutral(clips: Sequence[MotionClip]) -> np.ndarray:
  """[63] mean expression of speech without a label, per person."""
  people: dict[str, list[np.ndarray]] = {}
  for clip in clips:
    if clip.speech and clip.emotion in _NO_EMOTION:
      people.setdefault(clip.person, []).append(clip.mean_exp)
  if not people:
    return np.zeros(face.EXP_DIM)
  return np.mean([np.mean(x, 0) for x in people.values()], 0)
