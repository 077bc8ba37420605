"""Raw clips -> training records.

  python -m takin_jax.data.prepare SRC... --out DIR

SRC: video files, folders, or a .tsv manifest with at least a column `file`
(optional: person, emotion, speech, audio_lag_ms, split). Files are looked for
beside the manifest and in `video/` beside it.

Out, per clip: DIR/clips/<id>.array_record. Record 0 is an .npz with the sound
(16 kHz, in step with the lips), landmarks, pose, blendshapes and `meta` (JSON);
record 1 + t is frame t as a JPEG of the square face crop, 25 fps. And
DIR/manifest.tsv (what became of every file), DIR/blendshapes.json (names).
Needs MediaPipe (extra `data`). Finished clips are kept when run again.
"""

import argparse
from collections.abc import Sequence
import concurrent.futures
import csv
import dataclasses
import functools
import io
import json
import multiprocessing
import os
from pathlib import Path
import re
import sys

from array_record.python import array_record_module
import cv2
import numpy as np
import tqdm

from takin_jax.data import faces
from takin_jax.data import media

MANIFEST_COLUMNS = (
  'file status reason id person emotion split speech frames seconds'.split()
)
VIDEO_SUFFIXES = frozenset(
  '.mp4 .mov .m4v .mpg .mpeg .webm .mkv .avi .wmv .flv .ts'.split()
)

_BOX_EVERY = 8  # frames between two looks for the face in the first pass
_DETECT_PX = 512  # longest side of the picture in the first pass
_MIN_FOUND = 0.8  # of the frames must show a face
_MIN_FRAMES = media.FRAME_RATE_HZ  # 1 s
_JPEG_QUALITY = 92


class Skip(Exception):
  """A clip that cannot be used; the message is the reason."""


@dataclasses.dataclass(frozen=True)
class Clip:
  """One line of the list of work."""

  path: Path
  file: str
  person: str = '-'
  emotion: str = '-'
  speech: str = '-'
  split: str = 'train'
  lag_ms: float = 0.0  # > 0: the sound comes later than the lips

  @property
  def id(self) -> str:
    return re.sub(r'[^\w-]', '_', str(Path(self.file).with_suffix('')))


def list_clips(sources: Sequence[str]) -> list[Clip]:
  """Expands files, folders and manifests; MediaError if one is missing."""
  clips = []
  for source in map(Path, sources):
    if source.suffix == '.tsv' and source.is_file():
      clips += _read_manifest(source)
    elif source.is_dir():
      clips += [
        Clip(p, str(p.relative_to(source)), person=p.stem)
        for p in sorted(source.rglob('*'))
        if p.suffix.lower() in VIDEO_SUFFIXES
      ]
    elif source.is_file():
      clips.append(Clip(source, source.name, person=source.stem))
    else:
      raise media.MediaError(f'{source} is not there: check the path.')
  ids = [c.id for c in clips]
  double = sorted({i for i in ids if ids.count(i) > 1})
  if double:
    raise media.MediaError(
      f'Two clips would both be named {double[0]}: rename one of them.'
    )
  return clips


def _read_manifest(path: Path) -> list[Clip]:
  """Reads a .tsv with a header; unknown columns are ignored."""
  with open(path, newline='', encoding='utf-8') as f:
    rows = list(csv.DictReader(f, delimiter='\t'))
  if rows and 'file' not in rows[0]:
    raise media.MediaError(f'{path} has no column `file`: add one.')
  clips = []
  for row in rows:
    places = (path.parent / row['file'], path.parent / 'video' / row['file'])
    clips.append(
      Clip(
        path=next((p for p in places if p.is_file()), places[0]),
        file=row['file'],
        person=row.get('person') or Path(row['file']).stem,
        emotion=row.get('emotion') or '-',
        speech=row.get('speech') or '-',
        split=row.get('split') or 'train',
        lag_ms=_number(row.get('audio_lag_ms')),
      )
    )
  return clips


def _number(text: str | None) -> float:
  """'+40' -> 40.0; '-', '' and None -> 0.0."""
  try:
    return float(text or 0)
  except ValueError:
    return 0.0


def correct_lag(audio: np.ndarray, lag_ms: float) -> np.ndarray:
  """Puts sound and lips in step; a positive lag drops the first samples."""
  samples = round(lag_ms * media.SAMPLE_RATE_HZ / 1000)
  if samples >= 0:
    return audio[samples:]
  return np.concatenate([np.zeros(-samples, audio.dtype), audio])


def find_clip_crop(
  path: Path, model: str | None
) -> tuple[faces.CropBox, np.ndarray]:
  """First pass: one square for the whole clip.

  Returns:
    The crop, inside the picture, and [T - 1] the change from frame to frame.
  """
  boxes, looks, thumbs = [], 0, []
  with faces.landmarker(model) as detector:
    for k, image in enumerate(media.read_frames(path)):
      thumbs.append(_thumbnail(image))
      if k % _BOX_EVERY:
        continue
      height, width = image.shape[:2]
      looks += 1
      face = detector.detect(_shrink(image))
      if face is not None:
        boxes.append(faces.landmark_box(face.landmarks, width, height))
  if len(thumbs) < _MIN_FRAMES:
    raise Skip(f'too short: {len(thumbs) / media.FRAME_RATE_HZ:.2f} s')
  if len(boxes) < _MIN_FOUND * looks:
    raise Skip(f'face in only {len(boxes)} of {looks} frames looked at')
  boxes = np.array(boxes)
  face_px = np.median((boxes[:, 2:] - boxes[:, :2]).max(-1))
  centre = np.median((boxes[:, :2] + boxes[:, 2:]) / 2, 0)
  square = np.concatenate([centre - face_px / 2, centre + face_px / 2])
  crop = faces.clamp_crop(faces.crop_around(square), width, height)
  change = np.abs(np.diff(np.array(thumbs, np.float32), axis=0)).mean((1, 2))
  return crop, change


def _shrink(image: np.ndarray) -> np.ndarray:
  scale = _DETECT_PX / max(image.shape[:2])
  if scale >= 1:
    return image
  return cv2.resize(
    image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
  )


def _thumbnail(image: np.ndarray) -> np.ndarray:
  small = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA)
  return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)


def read_clip(
  clip: Clip, crop: faces.CropBox, size: int, model: str | None
) -> tuple[dict[str, np.ndarray], list[bytes], list[str]]:
  """Second pass: crops as JPEG, and what the landmarker sees on them."""
  frames, found = [], []
  nobody = faces.Face(
    np.zeros((478, 3), np.float32),
    np.zeros(52, np.float32),
    np.eye(4, dtype=np.float32),
    0,
  )
  quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
  with faces.landmarker(model, tracking=True) as detector:
    for k, image in enumerate(media.read_frames(clip.path)):
      image = faces.crop_image(image, crop, size)
      time_ms = k * 1000 // media.FRAME_RATE_HZ
      found.append(detector.detect(image, time_ms) or nobody)
      bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
      frames.append(cv2.imencode('.jpg', bgr, quality)[1].tobytes())
    names = detector.blendshape_names
  arrays = {
    'landmarks': np.array([f.landmarks for f in found]),
    'pose_matrix': np.array([f.pose_matrix for f in found]),
    'blendshapes': np.array([f.blendshapes for f in found]),
    'found': np.array([f.count > 0 for f in found]),
  }
  if arrays['found'].mean() < _MIN_FOUND:
    raise Skip(f'face in only {arrays["found"].mean():.0%} of the frames')
  return arrays, frames, names


def read_clip_audio(clip: Clip) -> np.ndarray:
  """[S] int16 in step with the lips; empty for a clip without sound."""
  try:
    audio = correct_lag(media.read_audio(clip.path), clip.lag_ms)
  except media.MediaError:
    return np.zeros(0, np.int16)
  return np.rint(np.clip(audio, -1, 1) * 32767).astype(np.int16)


def write_record(
  path: Path, arrays: dict[str, np.ndarray], frames: Sequence[bytes]
) -> None:
  """Writes one clip, under a temporary name until it is complete."""
  part = path.with_suffix('.part')
  head = io.BytesIO()
  np.savez(head, **arrays)
  # One record per group: reading a frame costs that frame, JPEGs stay as are.
  writer = array_record_module.ArrayRecordWriter(
    str(part), 'group_size:1,uncompressed'
  )
  for record in (head.getvalue(), *frames):
    writer.write(record)
  writer.close()
  part.replace(path)


def read_meta(path: Path) -> dict:
  """The `meta` of a finished record."""
  reader = array_record_module.ArrayRecordReader(str(path))
  try:
    head = np.load(io.BytesIO(reader.read([0])[0]), allow_pickle=False)
    return json.loads(str(head['meta']))
  finally:
    reader.close()


def prepare_clip(
  clip: Clip, out: Path, size: int, model: str | None
) -> dict[str, str]:
  """Makes the record of one clip; returns its line of the manifest."""
  cv2.setNumThreads(1)
  line = {
    'file': clip.file,
    'id': clip.id,
    'person': clip.person,
    'emotion': clip.emotion,
    'split': clip.split,
    'speech': clip.speech,
  }
  path = out / 'clips' / f'{clip.id}.array_record'
  try:
    meta = read_meta(path) if path.is_file() else _make(clip, path, size, model)
  except (Skip, media.MediaError) as e:
    return line | {'status': 'skipped', 'reason': str(e)}
  frames = meta['frames']
  seconds = f'{frames / media.FRAME_RATE_HZ:.2f}'
  return line | {'status': 'ok', 'frames': str(frames), 'seconds': seconds}


def _make(clip: Clip, path: Path, size: int, model: str | None) -> dict:
  """Both passes, then the record; returns its meta."""
  crop, change = find_clip_crop(clip.path, model)
  arrays, frames, names = read_clip(clip, crop, size, model)
  meta = {
    'file': clip.file,
    'person': clip.person,
    'emotion': clip.emotion,
    'speech': clip.speech == 'yes',
    'split': clip.split,
    'crop': list(crop),
    'lag_ms': clip.lag_ms,
    'frames': len(frames),
    'size_px': size,
    'source_fps': media.frame_rate(clip.path),
    'change': [float(np.median(change)), float(change.max())],
  }
  arrays['audio'] = read_clip_audio(clip)
  arrays['meta'] = np.array(json.dumps(meta))
  write_record(path, arrays, frames)
  names_path = path.parent.parent / 'blendshapes.json'
  if not names_path.exists():
    names_path.write_text(json.dumps(names))
  return meta


def main(argv: Sequence[str] | None = None) -> int:
  """Command line; returns the exit code."""
  args = _parser().parse_args(argv)
  try:
    clips = list_clips(args.sources)
    with faces.landmarker(args.landmarker):
      pass  # fail here, not in every worker
  except media.MediaError as e:
    print(e, file=sys.stderr)
    return 2
  out = Path(args.out)
  (out / 'clips').mkdir(parents=True, exist_ok=True)
  work = functools.partial(
    prepare_clip, out=out, size=args.size, model=args.landmarker
  )
  # The longest first, so that the workers finish together.
  order = sorted(clips, key=lambda c: -c.path.stat().st_size)
  lines = {}
  context = multiprocessing.get_context('spawn')
  with concurrent.futures.ProcessPoolExecutor(args.workers, context) as pool:
    results = pool.map(work, order)
    for line in tqdm.tqdm(results, total=len(order), unit='clip'):
      lines[line['id']] = line
  with open(out / 'manifest.tsv', 'w', newline='', encoding='utf-8') as f:
    writer = csv.DictWriter(f, MANIFEST_COLUMNS, delimiter='\t', restval='')
    writer.writeheader()
    writer.writerows(lines[c.id] for c in clips)
  return 0


def _parser() -> argparse.ArgumentParser:
  parser = argparse.ArgumentParser(description='Raw clips to records.')
  parser.add_argument('sources', nargs='+', metavar='SRC')
  parser.add_argument('--out', required=True)
  parser.add_argument('--size', type=int, default=256, help='crop in px')
  parser.add_argument('--workers', type=int, default=os.cpu_count())
  parser.add_argument('--landmarker', help='face_landmarker.task')
  return parser


if __name__ == '__main__':
  sys.exit(main())
