"""Raw clips -> training records.

  python -m takin_jax.data.prepare SRC... --out DIR

SRC: video files, folders, or a .tsv table with a column `file` (optional:
person, emotion, level, speech, audio_lag_ms, split). Videos are divided at
shot changes and into parts of at most 30 s; shots that show nobody, several
people, or a face too small, blurred or turned away are left out.

Out, per shot: DIR/clips/<id>.array_record. Record 0 is an .npz with the sound
(16 kHz, in step with the lips), landmarks, pose, blendshapes and `meta` (JSON);
record 1 + t is frame t as a JPEG of the square face crop, 25 fps. And
DIR/manifest.tsv (what became of every shot, why, and who is held out),
DIR/blendshapes.json (names), DIR/scans (what is known of videos with several
shots). Where no table has a column `split`, people are held out by themselves.
Needs MediaPipe (extra `data`). Finished shots are kept when run again.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
import concurrent.futures
import csv
import functools
import multiprocessing
import os
from pathlib import Path
import sys

import tqdm

from takin_jax.cli.errors import command
from takin_jax.data import media
from takin_jax.data.faces.identity import open_face_net
from takin_jax.data.faces.landmarks import find_model
from takin_jax.data.prepare import cluster, hold_out
from takin_jax.data.prepare.clips import Clip, list_clips
from takin_jax.data.prepare.layouts import LAYOUTS
from takin_jax.data.prepare.quality import Limits
from takin_jax.data.prepare.shot_record import AV_OFFSET, Job
from takin_jax.data.prepare.video_file import Line, prepare_file
from takin_jax.data.records import MANIFEST, read_manifest

MANIFEST_COLUMNS = ('file', 'status', 'reason', 'id', 'person', 'emotion')
MANIFEST_COLUMNS += ('level', 'split', 'speech', 'start_s', 'frames', 'seconds')
MANIFEST_COLUMNS += ('found', 'second_face', 'face_px', 'sharpness')
MANIFEST_COLUMNS += ('yaw_deg', 'pitch_deg', 'similarity')
MANIFEST_COLUMNS += ('sound_late_ms', 'sync_r')

_LIMIT_HELP = {
  'min_found': 'share of the frames with a face',
  'min_face_px': 'side of the face in pixels of the video',
  'min_sharpness': "variance of the face's Laplacian at 128 px",
  'max_yaw': 'degrees to either side',
  'max_pitch': 'degrees up or down',
}


def write_manifest(path: Path, lines: Sequence[Line]) -> None:
  """Writes these lines; those of other files that are there stay."""
  new = {line['file'] for line in lines}
  kept = [row for row in read_manifest(path) if row['file'] not in new]
  part = path.with_suffix('.part')
  with open(part, 'w', newline='', encoding='utf-8') as f:
    writer = csv.DictWriter(f, MANIFEST_COLUMNS, delimiter='\t', restval='')
    writer.writeheader()
    writer.writerows([*kept, *lines])
  part.replace(path)


def prepare_all(
  clips: Sequence[Clip],
  job: Job,
  run: Callable[[Callable, Sequence[Clip]], Iterator[list[Line]]],
) -> list[Line]:
  """Prepares all clips, the largest file first.

  Args:
    clips: the videos.
    job: how to prepare them.
    run: maps a function over clips, in any order.

  Returns:
    The lines of the manifest in the order of the clips.
  """
  order = sorted(
    clips, key=lambda c: -c.path.stat().st_size if c.path.is_file() else 0
  )
  done = run(functools.partial(prepare_file, job=job), order)
  lines = {}
  for of_file in tqdm.tqdm(done, total=len(order), unit='file'):
    lines[of_file[0]['file']] = of_file
  return [line for clip in clips for line in lines[clip.file]]


def _in_processes(
  work: Callable, clips: Sequence[Clip], workers: int
) -> Iterator[list[Line]]:
  context = multiprocessing.get_context('spawn')
  with concurrent.futures.ProcessPoolExecutor(workers, context) as pool:
    futures = [pool.submit(work, clip) for clip in clips]
    for future in concurrent.futures.as_completed(futures):
      yield future.result()


def _parser() -> argparse.ArgumentParser:
  parser = argparse.ArgumentParser(
    description='Raw clips to records.',
    formatter_class=argparse.ArgumentDefaultsHelpFormatter,
  )
  add, limits = parser.add_argument, Limits()
  add('sources', nargs='+', metavar='SRC')
  add('--out', required=True, type=Path)
  add('--size', type=int, default=256, help='crop in pixels')
  add('--layout', choices=LAYOUTS, default='auto', help='of folders and names')
  add('--landmarker', help='path of face_landmarker.task')
  add('--face-net', help='ONNX net that tells whether a shot is of one person')
  add('--av-offset', choices=AV_OFFSET, default='correct', help='of the sound')
  for name, text in _LIMIT_HELP.items():
    option = '--' + name.replace('_', '-')
    add(option, type=float, default=getattr(limits, name), help=text)
  add(
    '--val',
    metavar='SHARE|NAMES',
    help='whom to hold out for evaluation where no table says it: a share of '
    f'the clips, or people, separated by commas (default: {hold_out.SHARE})',
  )
  add('--workers', type=int, default=os.cpu_count(), help='processes')
  add(
    '--ray',
    nargs='?',
    const='',
    metavar='ADDRESS',
    help='work on a Ray cluster, or on this machine through Ray',
  )
  return parser


def _job(args: argparse.Namespace) -> Job:
  """What to do; raises MediaError if it cannot be done."""
  if args.face_net is not None:
    why_not = open_face_net(args.face_net)[1]
    if why_not:
      raise media.MediaError(f'{why_not}: give the path of an ONNX file.')
  (args.out / 'clips').mkdir(parents=True, exist_ok=True)
  return Job(
    out=args.out.absolute(),
    size_px=args.size,
    model=find_model(args.landmarker).absolute(),
    limits=Limits(**{name: getattr(args, name) for name in _LIMIT_HELP}),
    face_net=args.face_net and Path(args.face_net).absolute(),
    av_offset=args.av_offset,
  )


@command('takin_jax.data.prepare')
def main(argv: Sequence[str] | None = None) -> int:
  """Command line; returns the exit code."""
  args = _parser().parse_args(argv)
  clips = list_clips(args.sources, args.layout)
  val, job = hold_out.parse(args.val), _job(args)
  if args.ray is None:
    run = functools.partial(_in_processes, workers=args.workers)
  else:
    run = functools.partial(cluster.map_items, address=args.ray or None)
  lines = prepare_all(clips, job, run)
  manifest = args.out / MANIFEST
  earlier = {row['id']: row['split'] for row in read_manifest(manifest)}
  people = {clip.file: clip.person for clip in clips}
  told = hold_out.assign(
    lines, people, val, earlier if args.val is None else None
  )
  write_manifest(manifest, lines)
  skipped = [line for line in lines if line['status'] == 'skipped']
  for line in skipped:
    at = f' at {line["start_s"]} s' if line.get('start_s') else ''
    print(f'{line["file"]}{at}: {line["reason"]}')
  print(f'{len(lines) - len(skipped)} clips ready, {len(skipped)} skipped.')
  print(told)
  return 0


if __name__ == '__main__':
  sys.exit(main())
