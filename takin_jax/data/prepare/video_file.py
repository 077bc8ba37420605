"""One video -> the records of its shots: what one worker does at a time.

In: a Clip and a Job. Out: records, and for every shot a line of the manifest.
The first pass (`shots`) finds and judges the shots, the second (`shot_record`)
goes through the good ones. No more than one shot is in memory.
"""

from collections.abc import Iterator
import dataclasses
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from takin_jax import face
from takin_jax.data import media
from takin_jax.data.prepare import quality, shots
from takin_jax.data.prepare.clip_sound import ClipSound
from takin_jax.data.prepare.clips import Clip
from takin_jax.data.prepare.shot_record import Job, Skip, make_record
from takin_jax.data.records import writer

Line = dict[str, Any]


def prepare_file(clip: Clip, job: Job) -> list[Line]:
  """Makes the records of one video, unless they are there.

  Args:
    clip: the video.
    job: how to prepare it.

  Returns:
    Lines of the manifest: one per shot, or one with the reason why there is
    none.
  """
  cv2.setNumThreads(1)
  whole = _record(job, clip.id)
  try:
    meta = writer.finished_meta(whole, job.size_px)
    if meta:
      return [_ready(_line(clip, clip.id), meta)]
    parts = shots.split(_scan(clip, job))
    if len(parts) == 1:
      return list(_shots(clip, job, {clip.id: parts[0]}))
    named = {_part(clip, k): part for k, part in enumerate(parts)}
    lines = list(_shots(clip, job, named))
    whole.unlink(missing_ok=True)  # of another size: its parts take its place
    return lines
  except Exception as e:  # one odd file must not end the work on all others
    return [_line(clip, clip.id) | {'reason': _reason(e)}]


def _scan(clip: Clip, job: Job) -> shots.Scan:
  """The first pass; that of a video with several shots is kept."""
  path = job.out / 'scans' / f'{clip.id}.npz'
  seen = shots.load(path, clip.path)
  if seen is None:
    seen = shots.scan(clip.path, job.model)
    if len(shots.split(seen)) > 1:
      shots.save(path, seen)
  return seen


def _shots(
  clip: Clip, job: Job, parts: dict[str, shots.Shot]
) -> Iterator[Line]:
  """Makes the records of the good shots, by name, reading the video once."""
  frames = enumerate(media.read_frames(clip.path))
  sound = ClipSound(clip.sound or clip.path)
  several = any(shot.scene for shot in parts.values())
  for name, shot in parts.items():
    path = _record(job, name)
    shown = clip
    if several and clip.person_is_guess:  # scenes may show different people
      shown = dataclasses.replace(clip, person=_part(clip, shot.scene))
    line = _line(shown, name)
    line['start_s'] = f'{shot.first / face.FRAME_RATE_HZ:.2f}'
    try:
      meta = writer.finished_meta(path, job.size_px)
      if meta is None:
        _judge(shot, job.limits)
        images = _between(frames, shot)
        meta = make_record(path, shown, job, shot, images, sound)
      yield _ready(line, meta)
    except Exception as e:
      yield line | quality.measure(shot.looks) | {'reason': _reason(e)}


def _judge(shot: shots.Shot, limits: quality.Limits) -> None:
  """Raises Skip if the first pass saw that a shot is no good."""
  if shot.frames < shots.MIN_FRAMES:
    raise Skip(f'too short: {shot.frames / face.FRAME_RATE_HZ:.2f} s')
  reason = quality.fault(quality.measure(shot.looks), limits)
  if reason:
    raise Skip(reason)


def _between(
  frames: Iterator[tuple[int, np.ndarray]], shot: shots.Shot
) -> Iterator[np.ndarray]:
  """The pictures of a shot, from numbered ones; skips those before it."""
  for k, image in frames:
    if k >= shot.first:
      yield image
    if k + 1 >= shot.last:
      return


def _part(clip: Clip, number: int) -> str:
  return f'{clip.id}_{number:03d}'


def _record(job: Job, name: str) -> Path:
  return job.out / 'clips' / f'{name}.array_record'


def _line(clip: Clip, name: str) -> Line:
  return {
    'file': clip.file,
    'status': 'skipped',
    'id': name,
    'person': clip.person,
    'emotion': clip.emotion,
    'level': clip.level,
    'split': clip.split,
    'speech': clip.speech,
  }


def _ready(line: Line, meta: dict[str, Any]) -> Line:
  """The line of a record that is there, from its `meta`."""
  frames = meta['frames']
  start = meta.get('first_frame', 0) / face.FRAME_RATE_HZ
  return line | {
    'status': 'ok',
    'speech': 'yes' if meta['speech'] else line['speech'],
    'start_s': f'{start:.2f}',
    'frames': frames,
    'seconds': f'{frames / face.FRAME_RATE_HZ:.2f}',
    **meta.get('figures', {}),
  }


def _reason(error: Exception) -> str:
  if isinstance(error, (Skip, media.MediaError)):
    return str(error)
  return f'{type(error).__name__}: {error}'
