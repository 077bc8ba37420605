"""Second pass over one shot: its pictures and sound become a record.

In: a shot that the first pass found good, and its pictures. Out: the record.
The pictures are in memory as JPEGs: about 1 MB per second.
"""

from collections.abc import Iterable, Sequence
import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from takin_jax import face
from takin_jax.data import faces, media
from takin_jax.data.faces.identity import FaceNet
from takin_jax.data.prepare import offset, quality
from takin_jax.data.prepare.clip_sound import ClipSound
from takin_jax.data.prepare.clips import Clip
from takin_jax.data.prepare.shots import Shot
from takin_jax.data.records import writer

AV_OFFSET = ('off', 'report', 'correct')

_JPEG_QUALITY = 92
_LEAST_LAG_MS = 60  # less is within what two ways of measuring it differ by
# How many faces of a shot are compared, and the least similarity of any two:
# 0.32 and more in 93 clips of one person, below 0.19 in 99 % of the pairs of
# two people (MobileFaceNet).
_COMPARED = 8
_MIN_SIMILARITY = 0.25


class Skip(Exception):
  """A shot that cannot be used; the message is the reason."""


@dataclasses.dataclass(frozen=True)
class Job:
  """How to prepare videos.

  Attributes:
    out: folder of the records.
    size_px: side of the crops.
    model: the landmarker's model file.
    limits: what a shot must have.
    face_net: ONNX file of a face recognition net; None: the faces of a shot
      are not compared.
    av_offset: 'report': how late the sound comes is estimated, 'correct': and
      taken out where it is clear, 'off': neither.
  """

  out: Path
  size_px: int
  model: Path
  limits: quality.Limits = quality.Limits()
  face_net: Path | None = None
  av_offset: str = 'correct'


def make_record(
  path: Path,
  clip: Clip,
  job: Job,
  shot: Shot,
  images: Iterable[np.ndarray],
  sound: ClipSound,
) -> dict[str, Any]:
  """Makes the record of one shot.

  Args:
    path: of the record.
    clip: the video.
    job: how to prepare it.
    shot: the part of it.
    images: the pictures of the shot.
    sound: of the whole video, not read beyond the shot.

  Returns:
    Its `meta`.

  Raises:
    Skip: too few frames show a face, or they show several people.
  """
  crop = quality.crop_of(shot.looks, *shot.size_px)
  arrays, jpegs, names = read_crops(images, crop, job)
  figures = quality.measure(shot.looks)
  if job.face_net:
    figures['similarity'] = one_person(arrays, jpegs, job.face_net)
  arrays['audio'], lag_ms, heard = read_sound(
    clip, shot, arrays, sound, job.av_offset
  )
  figures |= _sound_figures(clip, heard)
  meta = _labels(clip, heard) | {
    'first_frame': shot.first,
    'crop': [crop.x, crop.y, crop.size],
    'lag_ms': lag_ms,
    'frames': len(jpegs),
    'jumps': shot.jumps,
    'size_px': job.size_px,
    'source_fps': media.frame_rate(clip.path),
    'figures': figures,
  }
  writer.write_record(path, arrays, meta, jpegs)
  names_path = job.out / 'blendshapes.json'
  if not names_path.exists():
    names_path.write_text(json.dumps(names))
  return meta


def _sound_figures(clip: Clip, heard: offset.Offset) -> dict[str, float]:
  """How well the sound goes with the lips, and how late it comes."""
  figures = {'sync_r': heard.r} if heard.r else {}
  if heard.clear:
    figures['sound_late_ms'] = round(clip.lag_ms + heard.lag_ms)
  return figures


def _labels(clip: Clip, heard: offset.Offset) -> dict[str, Any]:
  """Part of `meta`; unlabelled sound that goes with the lips is speech."""
  return {
    'file': clip.file,
    'person': clip.person,
    'emotion': clip.emotion,
    'level': clip.level,
    'speech': clip.speech == 'yes' or (clip.speech == '-' and heard.clear),
    'split': clip.split or 'train',
  }


def read_crops(
  images: Iterable[np.ndarray], crop: faces.CropBox, job: Job
) -> tuple[dict[str, np.ndarray], list[bytes], list[str]]:
  """Crops the pictures of a shot.

  Returns:
    What the landmarker sees in every frame, the frames as JPEG, and the names
    of the blendshapes.

  Raises:
    Skip: no face in enough frames.
  """
  nobody = faces.Face(np.zeros((478, 3)), np.zeros(52), np.eye(4), 0)
  encoding = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
  seen, jpegs = [], []
  with faces.landmarker(job.model, tracking=True) as detector:
    for k, image in enumerate(images):
      image = faces.crop_image(image, crop, job.size_px)
      time_ms = 1000 * k // face.FRAME_RATE_HZ
      seen.append(detector.detect(image, time_ms) or nobody)
      bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
      jpegs.append(cv2.imencode('.jpg', bgr, encoding)[1].tobytes())
    names = detector.blendshape_names
  found = np.array([face.count > 0 for face in seen])
  if found.mean() < job.limits.min_found:
    raise Skip(f'face in {found.sum()} of {len(found)} frames')
  arrays = {
    'landmarks': np.array([face.landmarks for face in seen], np.float32),
    'pose_matrix': np.array([face.pose_matrix for face in seen], np.float32),
    'blendshapes': np.array([face.blendshapes for face in seen], np.float32),
    'found': found,
  }
  return arrays, jpegs, names


def one_person(
  arrays: dict[str, np.ndarray], jpegs: Sequence[bytes], face_net: Path
) -> float:
  """Compares faces spread over a shot.

  Returns:
    The least cosine similarity of two of them.

  Raises:
    Skip: it is too low for one person.
  """
  at = np.flatnonzero(arrays['found'])
  at = at[np.linspace(0, len(at) - 1, _COMPARED).round().astype(int)]
  bgr = [cv2.imdecode(np.frombuffer(jpegs[k], np.uint8), 1) for k in at]
  images = np.stack([image[..., ::-1] for image in bgr])
  vectors = _open_net(face_net)(images, arrays['landmarks'][at])
  least = round(float((vectors @ vectors.T).min()), 2)
  if least < _MIN_SIMILARITY:
    raise Skip(f'several people: their faces are {least:.2f} alike')
  return least


@functools.lru_cache(maxsize=1)
def _open_net(path: Path) -> FaceNet:
  return FaceNet(path)


def read_sound(
  clip: Clip,
  shot: Shot,
  arrays: dict[str, np.ndarray],
  sound: ClipSound,
  av_offset: str,
) -> tuple[np.ndarray, float, offset.Offset]:
  """The sound of a shot in step with the lips, as far as that is known.

  Returns:
    [S] int16, empty without sound; the lag that was taken out, in ms; and the
    estimate of the lag that the clip's own `lag_ms` leaves.
  """
  margin = _samples(offset.MAX_LAG_MS)
  start = shot.first * face.SAMPLES_PER_FRAME + _samples(clip.lag_ms)
  length = shot.frames * face.SAMPLES_PER_FRAME
  audio = sound.take(start - margin, start + length + margin)
  heard = offset.Offset(0, 0.0, False)
  if av_offset != 'off' and len(audio) > margin:
    seen = arrays['landmarks'], arrays['found']
    heard = offset.estimate(*seen, audio[margin : margin + length]) or heard
  lag_ms = 0
  if av_offset == 'correct' and heard.clear:
    lag_ms = heard.lag_ms if abs(heard.lag_ms) >= _LEAST_LAG_MS else 0
  first = margin + _samples(lag_ms)
  audio = np.clip(audio[first : first + length], -1, 1)
  return np.rint(audio * 32767).astype(np.int16), clip.lag_ms + lag_ms, heard


def _samples(ms: float) -> int:
  return round(ms * face.SAMPLE_RATE_HZ / 1000)
