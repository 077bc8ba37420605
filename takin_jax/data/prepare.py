"""Raw clips -> training records.

  python -m takin_jax.data.prepare SRC... --out DIR

SRC: video files, folders, or a .tsv manifest with a column `file` (optional:
person, emotion, speech, audio_lag_ms, split).

Out, per clip: DIR/clips/<id>.array_record. Record 0 is an .npz with the sound
(16 kHz, in step with the lips), landmarks, pose, blendshapes and `meta` (JSON);
record 1 + t is frame t as a JPEG of the square face crop, 25 fps. And
DIR/manifest.tsv (what became of every file), DIR/blendshapes.json (names).
Needs MediaPipe (extra `data`). Finished clips are kept when run again. One
clip is in memory at a time, as JPEGs: about 1 MB per second.
"""

import argparse
from collections.abc import Sequence
import concurrent.futures
import csv
import functools
import io
import json
import multiprocessing
import os
from pathlib import Path
import sys

from array_record.python import array_record_module
import cv2
import numpy as np
import tqdm

from takin_jax.data import faces, media
from takin_jax.data.clips import Clip, list_clips
from takin_jax.data.cuts import THUMBNAIL_PX, find_jumps
from takin_jax.data.faces.landmarks import find_model

MANIFEST_COLUMNS = ('file', 'status', 'reason', 'id', 'person', 'emotion')
MANIFEST_COLUMNS += ('split', 'speech', 'frames', 'seconds')

_LOOK_EVERY = 8  # frames, in the first pass
_DETECT_PX = 512  # longest side of the picture in the first pass
_MIN_FOUND = 0.8  # of the frames must show a face
_MIN_FRAMES = media.FRAME_RATE_HZ  # 1 s
_JPEG_QUALITY = 92


class Skip(Exception):
  """A clip that cannot be used; the message is the reason."""


def correct_lag(audio: np.ndarray, lag_ms: float) -> np.ndarray:
  """Puts [S] sound in step with the lips.

  A positive lag (sound too late) drops the first samples, a negative one puts
  silence before them.
  """
  samples = round(lag_ms * media.SAMPLE_RATE_HZ / 1000)
  if samples >= 0:
    return audio[samples:]
  return np.concatenate([np.zeros(-samples, audio.dtype), audio])


def scan(clip: Clip, model: Path) -> tuple[faces.CropBox, list[int]]:
  """First pass: one square for the whole clip, inside the picture; jumps.

  Raises:
    Skip: too short, a cut, or no face in enough frames.
    MediaError: unreadable.
  """
  boxes, thumbnails = [], []
  with faces.landmarker(model) as detector:
    for k, image in enumerate(media.read_frames(clip.path)):
      side = (THUMBNAIL_PX, THUMBNAIL_PX)
      thumbnails.append(cv2.resize(image, side, interpolation=cv2.INTER_AREA))
      if k % _LOOK_EVERY == 0:
        height, width = image.shape[:2]
        face = detector.detect(_shrink(image))
        boxes.append(face and faces.landmark_box(face, width, height))
  if len(thumbnails) < _MIN_FRAMES:
    raise Skip(f'too short: {len(thumbnails) / media.FRAME_RATE_HZ:.2f} s')
  jumps, cut = find_jumps(np.array(thumbnails))
  if cut is not None:
    raise Skip(f'cut at {cut / media.FRAME_RATE_HZ:.2f} s: split it there')
  found = np.array([box for box in boxes if box is not None])
  if len(found) < _MIN_FOUND * len(boxes):
    raise Skip(f'face in {len(found)} of {len(boxes)} frames looked at')
  side = np.median((found[:, 2:] - found[:, :2]).max(-1))
  centre = np.median((found[:, :2] + found[:, 2:]) / 2, 0)
  box = np.concatenate([centre - side / 2, centre + side / 2])
  return faces.clamp_crop(faces.crop_around(box), width, height), jumps


def _shrink(image: np.ndarray) -> np.ndarray:
  scale = min(1.0, _DETECT_PX / max(image.shape[:2]))
  return cv2.resize(
    image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
  )


def read_crops(
  clip: Clip, crop: faces.CropBox, size: int, model: Path
) -> tuple[dict[str, np.ndarray], list[bytes], list[str]]:
  """Second pass.

  Returns:
    What the landmarker sees in every frame, the frames as JPEG, and the names
    of the blendshapes.

  Raises:
    Skip: no face in enough frames.
  """
  nobody = faces.Face(np.zeros((478, 3)), np.zeros(52), np.eye(4), 0)
  quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
  seen, jpegs = [], []
  with faces.landmarker(model, tracking=True) as detector:
    for k, image in enumerate(media.read_frames(clip.path)):
      image = faces.crop_image(image, crop, size)
      time_ms = 1000 * k // media.FRAME_RATE_HZ
      seen.append(detector.detect(image, time_ms) or nobody)
      bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
      jpegs.append(cv2.imencode('.jpg', bgr, quality)[1].tobytes())
    names = detector.blendshape_names
  found = np.array([face.count > 0 for face in seen])
  if found.mean() < _MIN_FOUND:
    raise Skip(f'face in {found.sum()} of {len(found)} frames')
  landmarks, blendshapes, poses, _ = zip(*seen, strict=True)
  arrays = {
    'landmarks': np.array(landmarks, np.float32),
    'pose_matrix': np.array(poses, np.float32),
    'blendshapes': np.array(blendshapes, np.float32),
    'found': found,
  }
  return arrays, jpegs, names


def read_sound(clip: Clip) -> np.ndarray:
  """[S] int16 in step with the lips; empty if the clip has no sound."""
  try:
    audio = media.read_audio(clip.path)
  except media.MediaError:
    return np.zeros(0, np.int16)
  audio = correct_lag(audio, clip.lag_ms)
  return np.rint(np.clip(audio, -1, 1) * 32767).astype(np.int16)


def write_record(
  path: Path, arrays: dict[str, np.ndarray], jpegs: Sequence[bytes]
) -> None:
  """Writes one clip, under a temporary name until it is complete."""
  part = path.with_suffix('.part')
  head = io.BytesIO()
  np.savez(head, **arrays)
  # One record per group, so that a frame is read alone; JPEGs do not shrink.
  writer = array_record_module.ArrayRecordWriter(
    str(part), 'group_size:1,uncompressed'
  )
  for record in (head.getvalue(), *jpegs):
    writer.write(record)
  writer.close()
  part.replace(path)


def prepare_clip(clip: Clip, out: Path, size: int, model: Path) -> dict:
  """Makes the record of one clip, unless it is there.

  Args:
    clip: the video.
    out: folder of the records.
    size: side of the crops in pixels.
    model: the landmarker's model file.

  Returns:
    The clip's line of the manifest.
  """
  line = {
    'file': clip.file,
    'status': 'skipped',
    'id': clip.id,
    'person': clip.person,
    'emotion': clip.emotion,
    'split': clip.split,
    'speech': clip.speech,
  }
  path = out / 'clips' / f'{clip.id}.array_record'
  cv2.setNumThreads(1)
  try:
    frames = _finished(path, size) or _make(clip, path, size, model)
  except (Skip, media.MediaError) as e:
    return line | {'reason': str(e)}
  except Exception as e:  # one odd file must not end the work on all others
    return line | {'reason': f'{type(e).__name__}: {e}'}
  seconds = f'{frames / media.FRAME_RATE_HZ:.2f}'
  return line | {'status': 'ok', 'frames': frames, 'seconds': seconds}


def _finished(path: Path, size: int) -> int:
  """Frames of a record made before with crops of this size, else 0."""
  if not path.is_file():
    return 0
  reader = array_record_module.ArrayRecordReader(str(path))
  with np.load(io.BytesIO(reader.read([0])[0]), allow_pickle=False) as head:
    meta = json.loads(str(head['meta']))
  reader.close()
  return meta['frames'] if meta['size_px'] == size else 0


def _make(clip: Clip, path: Path, size: int, model: Path) -> int:
  """Both passes and the record; returns the number of frames."""
  crop, jumps = scan(clip, model)
  arrays, jpegs, names = read_crops(clip, crop, size, model)
  meta = {
    'file': clip.file,
    'person': clip.person,
    'emotion': clip.emotion,
    'speech': clip.speech == 'yes',
    'split': clip.split,
    'crop': [crop.x, crop.y, crop.size],
    'lag_ms': clip.lag_ms,
    'frames': len(jpegs),
    'jumps': jumps,
    'size_px': size,
    'source_fps': media.frame_rate(clip.path),
  }
  arrays['audio'] = read_sound(clip)
  arrays['meta'] = np.array(json.dumps(meta))
  write_record(path, arrays, jpegs)
  names_path = path.parents[1] / 'blendshapes.json'
  if not names_path.exists():
    names_path.write_text(json.dumps(names))
  return len(jpegs)


def write_manifest(path: Path, lines: Sequence[dict]) -> None:
  """Writes these lines; those of other files that are there stay."""
  known = {}
  if path.is_file():
    with open(path, newline='', encoding='utf-8') as f:
      known = {line['id']: line for line in csv.DictReader(f, delimiter='\t')}
  known |= {line['id']: line for line in lines}
  part = path.with_suffix('.part')
  with open(part, 'w', newline='', encoding='utf-8') as f:
    writer = csv.DictWriter(f, MANIFEST_COLUMNS, delimiter='\t', restval='')
    writer.writeheader()
    writer.writerows(known.values())
  part.replace(path)


def _prepare_all(
  clips: Sequence[Clip], out: Path, size: int, model: Path, workers: int
) -> list[dict]:
  """Prepares all clips in `workers` processes, the largest file first."""
  order = sorted(
    clips, key=lambda c: -c.path.stat().st_size if c.path.is_file() else 0
  )
  work = functools.partial(prepare_clip, out=out, size=size, model=model)
  context = multiprocessing.get_context('spawn')
  with concurrent.futures.ProcessPoolExecutor(workers, context) as pool:
    futures = [pool.submit(work, clip) for clip in order]
    done = concurrent.futures.as_completed(futures)
    for _ in tqdm.tqdm(done, total=len(order), unit='clip'):
      pass
  lines = {line['id']: line for line in (f.result() for f in futures)}
  return [lines[clip.id] for clip in clips]


def main(argv: Sequence[str] | None = None) -> int:
  """Command line; returns the exit code."""
  parser = argparse.ArgumentParser(description='Raw clips to records.')
  parser.add_argument('sources', nargs='+', metavar='SRC')
  parser.add_argument('--out', required=True, type=Path)
  parser.add_argument('--size', type=int, default=256, help='crop in pixels')
  parser.add_argument('--workers', type=int, default=os.cpu_count())
  parser.add_argument('--landmarker', help='path of face_landmarker.task')
  args = parser.parse_args(argv)
  try:
    clips = list_clips(args.sources)
    model = find_model(args.landmarker)
    (args.out / 'clips').mkdir(parents=True, exist_ok=True)
  except (media.MediaError, OSError) as e:
    print(e, file=sys.stderr)
    return 2
  lines = _prepare_all(clips, args.out, args.size, model, args.workers)
  write_manifest(args.out / 'manifest.tsv', lines)
  skipped = [line for line in lines if line['status'] == 'skipped']
  for line in skipped:
    print(f'{line["file"]}: {line["reason"]}')
  print(f'{len(lines) - len(skipped)} clips ready, {len(skipped)} skipped.')
  return 0


if __name__ == '__main__':
  sys.exit(main())
