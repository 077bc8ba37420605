"""Windows of speech and motion, for training stage 2.

In: records of `takin_jax.data.prepare`. Out: batches of numpy arrays: sound,
the motion that goes with it and what the motion is conditioned on. A window is
a pure function of (seed, index).
"""

from collections.abc import Mapping, Sequence
import dataclasses
from typing import Any

import numpy as np

from takin_jax import face
from takin_jax.config import build
from takin_jax.data.batches import endless, motion_clips, window_changes
from takin_jax.data.batches.joined_clips import load_joined
from takin_jax.data.batches.motion_clips import MotionClip
from takin_jax.data.records import motion_cache
from takin_jax.data.speech import recordings
from takin_jax.face import SAMPLES_PER_FRAME


@dataclasses.dataclass(frozen=True)
class WindowConfig:
  """The config block `data` of the audio stage.

  Attributes:
    records: folder of records.
    batch_size: windows per batch over all devices.
    speech_share: of windows; the others show how faces move, without sound.
    clip_power: a clip is drawn with probability ~ frames ** clip_power.
    min_frames: a window may run over the end of its clip, but not more than
      to this length.
    join_below: speech in clips of fewer frames is joined by person, unless
      its states are cached; 0: not.
    join_to: frames of joined clips, at most.
    no_prefix: share of windows without motion before them.
    emotion_frames: around the window's centre, whose mean is the emotion.
    emotion_shift: share of windows with a part of a named emotion added, in
      motion and emotion alike: speech with more emotions than were recorded.
    emotion_noise: deviation of noise on the emotion, relative to that of the
      motion, as a wished emotion never fits exactly.
    kp_noise: deviation of noise on the source keypoints, against knowing who.
    flip: share of mirrored windows.
    speed: largest change of speed and pitch, as a factor's logarithm.
    augment: changes to the sound; None: none.
    cache: folder of `takin_jax.train.audio.extract`, '' for none. Windows of
      speech whose states are in it start where those do, at their own speed
      and unchanged; latents in it stand in for the landmarks' motion.
    decorrelate: what moves together, as both lids, is one number to the
      denoiser.
    threads: that make windows.
    prefetch: windows that are made ahead.
    crop: facts about the records' crop, for the weights folder.
  """

  records: str
  batch_size: int = 16
  speech_share: float = 0.8
  clip_power: float = 0.5
  min_frames: int = 75
  join_below: int = 0
  join_to: int = 250
  no_prefix: float = 0.15
  emotion_frames: int = 25
  emotion_shift: float = 0.3
  emotion_noise: float = 0.1
  kp_noise: float = 0.02
  flip: float = 0.5
  speed: float = 0.08
  augment: recordings.Augment | None = recordings.Augment()
  cache: str = ''
  decorrelate: bool = False
  threads: int = 2
  prefetch: int = 64
  crop: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def cut(
  clip: MotionClip,
  start: float,
  window: int,
  prefix: int,
  emotion_frames: int,
  speed: float = 1.0,
) -> dict[str, np.ndarray]:
  """A window of a clip.

  Args:
    clip: where from.
    start: its first frame.
    window: frames; those after the clip's end repeat the last one.
    prefix: frames before it.
    emotion_frames: see `WindowConfig`.
    speed: clip frames per window frame.

  Returns:
    float32 `wave` [S] (S makes 2 * window speech states; silence after the
    end), `motion` [window, 70], `prefix` [prefix, 70], `emotion` [63],
    `source_kp` [63]; bool `frame_mask` [window], `head_mask` [window] (False
    where nothing is known of the head's rest), `follows` [window] (False
    where another clip than in the frame before), `prefix_mask` [prefix],
    `drop_audio` [].
  """
  at = start + speed * np.arange(-prefix, window)
  there = (at >= 0) & (at <= len(clip.motion) - 1)
  motion, low = _motion_at(clip, at)
  frames = int(there[prefix:].sum())
  first = max((frames - emotion_frames) // 2, 0)
  centre = motion[prefix:][first : first + min(emotion_frames, frames)]
  if len(clip.joints):  # few frames of a short clip would tell its lips
    centre = clip.motion
  parts = clip.parts
  follows = np.diff(parts[low], prepend=parts[low[0]]) == 0
  return {
    'wave': sound(clip, start, recordings.sample_count(2 * window), speed),
    'motion': motion[prefix:],
    'frame_mask': there[prefix:],
    'head_mask': there[prefix:] & clip.knows_head[low[prefix:]],
    'follows': follows[prefix:],
    'prefix': motion[:prefix],
    'prefix_mask': there[:prefix],
    'emotion': centre[:, face.EXP].mean(0),
    'source_kp': clip.kp.reshape(-1).astype(np.float32),
    'drop_audio': np.bool_(not clip.speech),
  }


def _motion_at(
  clip: MotionClip, at: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Motion [N, 70] between the frames at `at` [N], and the lower ones [N]."""
  at = np.clip(at, 0, len(clip.motion) - 1)
  low = np.minimum(at.astype(int), len(clip.motion) - 2)
  parts = clip.parts
  whole = parts[low] == parts[low + 1]  # nothing lies between two clips
  part = ((at - low) * whole)[:, None].astype(np.float32)
  return (1 - part) * clip.motion[low] + part * clip.motion[low + 1], low


def sound(
  clip: MotionClip, start: float, samples: int, speed: float
) -> np.ndarray:
  """float32 [samples] sound from frame `start` on; zeros where none is."""
  if not clip.speech:
    return np.zeros(samples, np.float32)
  at = start * SAMPLES_PER_FRAME + speed * np.arange(samples)
  audio = clip.audio.astype(np.float32) / 32768
  wave = np.interp(at, np.arange(len(audio)), audio, left=0.0, right=0.0)
  return wave.astype(np.float32)


class WindowSource(endless.Samples):
  """Endless random windows.

  Args:
    cfg: where from and how.
    window: frames per window.
    prefix: frames before it.
    seed: of everything random.
  """

  def __init__(self, cfg: WindowConfig, window: int, prefix: int, seed: int):
    super().__init__(self._draw_window, seed)
    self._cfg, self._window, self._prefix = cfg, window, prefix
    clips = _load(cfg, 'train')
    self._states = None
    if cfg.cache and motion_cache.read_facts(cfg.cache).states:
      counts = {c.id: len(c.starts) for c in clips}
      self._states = motion_cache.States(cfg.cache, counts)
    groups = (
      [c for c in clips if c.speech],
      [c for c in clips if not c.speech],
    )
    self._speech, self._others = groups
    emotions = motion_clips.named_emotions(clips)
    neutral = emotions.pop('neutral')
    self._offsets = [e - neutral for e in emotions.values()]
    self._spread = motion_clips.motion_stats(clips)[1][face.EXP]

  def _draw_window(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
    cfg = self._cfg
    clip = self._draw_clip(rng)
    heard = self._states is not None and clip.speech
    speed, number = float(np.exp(rng.uniform(-cfg.speed, cfg.speed))), 0
    last = len(clip.motion) - cfg.min_frames * speed
    start = int(rng.uniform(0, max(last, 0) + 1))
    if heard:
      speed, number = 1.0, int(rng.integers(len(clip.starts)))
      start = int(clip.starts[number])
    sample = cut(
      clip, start, self._window, self._prefix, cfg.emotion_frames, speed
    )
    if self._states is not None:
      del sample['wave']
      states = self._states
      sample['states'] = states(clip.id, number) if heard else states.silence()
    if rng.random() < cfg.no_prefix:
      sample['prefix_mask'] = np.zeros_like(sample['prefix_mask'])
    if self._offsets and rng.random() < cfg.emotion_shift:
      offset = self._offsets[rng.integers(len(self._offsets))]
      sample = window_changes.shift_emotion(
        sample, np.float32(rng.uniform(0, 1)) * offset
      )
    if rng.random() < cfg.flip:
      sample = window_changes.flip(sample)
    for key, level in (
      ('emotion', cfg.emotion_noise * self._spread),
      ('source_kp', cfg.kp_noise),
    ):
      noise = level * rng.standard_normal(face.EXP_DIM)
      sample[key] = (sample[key] + noise).astype(np.float32)
    if cfg.augment is not None and clip.speech and not heard:
      noise = self._speech[rng.integers(len(self._speech))].audio
      wave = recordings.augmented(sample['wave'], rng, cfg.augment, noise)
      sample['wave'] = wave.astype(np.float32)
    return sample

  def _draw_clip(self, rng: np.random.Generator) -> MotionClip:
    talks = rng.random() < self._cfg.speech_share
    clips = (self._speech if talks else self._others) or (
      self._others or self._speech
    )
    odds = np.array([len(c.motion) for c in clips], float)
    odds **= self._cfg.clip_power
    return clips[rng.choice(len(clips), p=odds / odds.sum())]


def batches(
  data: Mapping[str, Any],
  window: int,
  prefix: int,
  seed: int,
  shard: tuple[int, int] = (0, 1),
) -> endless.Batches:
  """Batches of random windows, see `cut` for the arrays.

  With cached states there is `states` float16 [B, L + 1, 2T, E], not `wave`.

  Args:
    data: the config block `data`, see `WindowConfig`.
    window: frames per window.
    prefix: frames before it.
    seed: of everything random.
    shard: (number, count) of this process among those that train.
  """
  cfg = build(WindowConfig, data)
  return endless.batches(
    WindowSource(cfg, window, prefix, seed),
    cfg.batch_size,
    shard,
    cfg.threads,
    cfg.prefetch,
  )


def _load(cfg: WindowConfig, split: str) -> list[MotionClip]:
  joined = cfg.join_below, cfg.join_to
  return load_joined(cfg.records, split, cfg.cache, *joined)


def eval_windows(
  data: Mapping[str, Any], window: int, prefix: int, split: str = 'val'
) -> dict[str, np.ndarray]:
  """All speech of the people of a split, window after window, unchanged.

  Args:
    data: the config block `data`.
    window: frames per window.
    prefix: frames before it.
    split: whose clips.

  Returns:
    The arrays of `cut`, stacked, and `person` [N]; rests of less than half a
    window are left out, unless they are all of a clip.
  """
  cfg = build(WindowConfig, data)
  samples: Sequence[dict[str, np.ndarray]] = [
    cut(clip, start, window, prefix, cfg.emotion_frames)
    | {'person': np.str_(clip.person)}
    for clip in _load(cfg, split)
    if clip.speech
    for start in range(0, max(len(clip.motion) - window // 2, 1), window)
  ]
  if not samples:
    return {}
  return {k: np.stack([s[k] for s in samples]) for k in samples[0]}
