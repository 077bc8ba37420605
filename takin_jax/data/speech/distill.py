"""Teacher features for training the speech encoder by distillation.

  python -m takin_jax.data.speech.distill TEACHER.ort AUDIO... --out DIR

TEACHER: a Moonshine speech encoder for ONNX Runtime (extra `data`), which maps
16 kHz sound to one vector every 384 samples. AUDIO: sound or video files, or
folders of them. Out: DIR/<name>_<chunk>.npz with `audio` int16 [S] and
`features` float16 [T, E], brought to HuBERT's 50 Hz frames, and DIR/stats.npz
with their `mean` and `std` [E]. With --copies, changed copies of every chunk
are added (speed and pitch, pauses). Files that are there already are kept.
"""

import argparse
from collections.abc import Iterable, Iterator, Sequence
import hashlib
import os
from pathlib import Path
import sys
from typing import Any

import numpy as np
import soxr
import tqdm

from takin_jax import face
from takin_jax.cli.errors import command
from takin_jax.data import media
from takin_jax.data.speech.recordings import STATS_FILE, frame_count
from takin_jax.errors import InputError

SUFFIXES = (
  *('.wav', '.flac', '.mp3', '.m4a', '.ogg', '.opus'),
  *('.mp4', '.mov', '.m4v', '.mpg', '.mpeg', '.webm'),
)
# Centre of output frame n, in samples: first + n * hop.
TEACHER_FIRST, TEACHER_HOP = 447.0, 384.0
STUDENT_FIRST, STUDENT_HOP = 199.5, 320.0
MIN_S = 1.0
LOUDNESS = 0.07  # root mean square that the teacher hears


def load_teacher(path: str | os.PathLike[str]) -> Any:
  """Opens the teacher in ONNX Runtime, on one core."""
  try:
    import onnxruntime
  except ImportError:
    raise InputError(
      'This command needs ONNX Runtime: pip install onnxruntime.'
    ) from None
  options = onnxruntime.SessionOptions()
  options.intra_op_num_threads = 1
  return onnxruntime.InferenceSession(
    str(path), options, providers=['CPUExecutionProvider']
  )


def teacher_features(teacher: Any, audio: np.ndarray) -> np.ndarray:
  """[S] float32 sound -> [T, E] float32 features at 50 Hz."""
  rms = np.sqrt(np.square(audio).mean())
  loud = audio * (LOUDNESS / max(rms, 0.1 * LOUDNESS))
  feeds = {
    'input_values': loud[None].astype(np.float32),
    'attention_mask': np.ones((1, len(loud)), np.int64),
  }
  features = teacher.run(None, feeds)[0][0]
  return to_student_frames(features, frame_count(len(audio)))


def to_student_frames(features: np.ndarray, frames: int) -> np.ndarray:
  """Linear interpolation of [N, E] teacher frames at `frames` of ours."""
  at = (STUDENT_FIRST + STUDENT_HOP * np.arange(frames) - TEACHER_FIRST) / (
    TEACHER_HOP
  )
  at = np.clip(at, 0, len(features) - 1)
  low = np.minimum(at.astype(int), max(len(features) - 2, 0))
  high = np.minimum(low + 1, len(features) - 1)
  part = (at - low)[:, None].astype(np.float32)
  return (1 - part) * features[low] + part * features[high]


def changed_copy(audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
  """Another speed and pitch (as a tape), and sometimes a pause with hiss."""
  factor = rng.uniform(0.84, 1.2)
  audio = soxr.resample(audio, face.SAMPLE_RATE_HZ * factor, 16_000)
  if rng.random() < 0.6:
    rate = face.SAMPLE_RATE_HZ
    hiss = rng.standard_normal(int(rng.uniform(0.3, 2.5) * rate))
    hiss *= 10 ** rng.uniform(-4.5, -2.0)
    cut = rng.integers(len(audio) + 1)
    audio = np.concatenate([audio[:cut], hiss, audio[cut:]])
  return audio.astype(np.float32)


def list_files(sources: Sequence[str]) -> list[Path]:
  """Expands folders; MediaError if a source is missing."""
  files = []
  for source in map(Path, sources):
    if source.is_dir():
      found = sorted(source.rglob('*'))
      files += [f for f in found if f.suffix.lower() in SUFFIXES]
    elif source.is_file():
      files.append(source)
    else:
      raise media.MediaError(f'{source} is not there: check the path.')
  return files


def chunks(path: Path, chunk_s: float) -> Iterator[np.ndarray]:
  """The sound of a file in pieces of `chunk_s`; short rests are dropped."""
  size = int(chunk_s * face.SAMPLE_RATE_HZ)
  for piece in media.iter_audio(path, block=size):
    if len(piece) >= MIN_S * face.SAMPLE_RATE_HZ:
      yield piece


def extract(
  teacher: Any, path: Path, out: Path, chunk_s: float, copies: int
) -> None:
  """Writes the records of one file."""
  seed = int.from_bytes(hashlib.sha256(path.name.encode()).digest()[:4])
  for index, clean in enumerate(chunks(path, chunk_s)):
    for copy in range(copies + 1):
      target = out / f'{path.stem}_{index:03d}_{copy}.npz'
      if target.exists():
        continue
      rng = np.random.default_rng((seed, index, copy))
      audio = changed_copy(clean, rng) if copy else clean
      pcm = np.rint(np.clip(audio, -1, 1) * 32767).astype(np.int16)
      features = teacher_features(teacher, pcm.astype(np.float32) / 32768)
      temporary = target.with_suffix('.tmp')
      with open(temporary, 'wb') as f:
        np.savez(f, audio=pcm, features=features.astype(np.float16))
      temporary.rename(target)


def write_stats(out: Path, files: Iterable[Path]) -> None:
  """Writes mean and standard deviation of every feature over all records."""
  count, total, squares = 0, 0.0, 0.0
  for file in files:
    with np.load(file) as record:
      x = record['features'].astype(np.float64)
    count, total = count + len(x), total + x.sum(0)
    squares = squares + np.square(x).sum(0)
  mean = total / count
  std = np.sqrt(np.maximum(squares / count - np.square(mean), 1e-12))
  np.savez(
    out / STATS_FILE, mean=mean.astype(np.float32), std=std.astype(np.float32)
  )


@command('takin_jax.data.speech.distill')
def main(argv: Sequence[str] | None = None) -> int:
  """Command line; returns the exit code."""
  parser = argparse.ArgumentParser(
    prog='python -m takin_jax.data.speech.distill',
    description=__doc__.split('\n')[0],
  )
  parser.add_argument('teacher', help='Moonshine encoder, .ort or .onnx')
  parser.add_argument('audio', nargs='+', help='files or folders')
  parser.add_argument('--out', type=Path, required=True, help='output folder')
  parser.add_argument('--chunk-s', type=float, default=12.0, help='seconds')
  parser.add_argument('--copies', type=int, default=0, help='changed copies')
  args = parser.parse_args(argv)
  teacher = load_teacher(args.teacher)
  args.out.mkdir(parents=True, exist_ok=True)
  for path in tqdm.tqdm(list_files(args.audio), unit='file'):
    try:
      extract(teacher, path, args.out, args.chunk_s, args.copies)
    except media.MediaError as error:
      tqdm.tqdm.write(f'skipped: {error}')
  records = sorted(args.out.glob('*_*_*.npz'))
  if not records:
    raise InputError('No file had sound of a second or more.')
  write_stats(args.out, records)
  print(f'{len(records)} records in {args.out}')
  return 0


if __name__ == '__main__':
  sys.exit(main())
