"""The list of clips to prepare: files, folders and manifests."""

from collections import Counter
from collections.abc import Sequence
import csv
import dataclasses
from pathlib import Path
import re

from takin_jax.data.media import MediaError
from takin_jax.data.prepare.layouts import read_labels

VIDEO_SUFFIXES = frozenset(
  ('.mp4', '.mov', '.m4v', '.mpg', '.mpeg', '.webm', '.mkv', '.avi', '.ts')
)


@dataclasses.dataclass(frozen=True)
class Clip:
  """One video to prepare.

  Attributes:
    path: where it is.
    file: its name in the manifest.
    person: who it shows; clips of one person share their canonical face.
    emotion: its label, or '-'.
    level: strength of the emotion, '1' to '3', or '-'.
    speech: 'yes', 'no' or '-' (unknown).
    split: 'train' or 'val'; '': nobody has decided, see `hold_out`.
    lag_ms: how much later than the lips the sound comes, as far as known.
    sound: the file with its sound; None: the video itself.
  """

  path: Path
  file: str
  person: str
  emotion: str = '-'
  speech: str = '-'
  split: str = ''
  lag_ms: float = 0.0
  level: str = '-'
  sound: Path | None = None

  @property
  def id(self) -> str:
    """Name of the record: the file name without suffix and odd characters."""
    return re.sub(r'[^\w-]', '_', str(Path(self.file).with_suffix('')))

  @property
  def person_is_guess(self) -> bool:
    """Whether the person is only named after the file."""
    return self.person == Path(self.file).stem


def list_clips(sources: Sequence[str], layout: str = 'auto') -> list[Clip]:
  """Expands files, folders and .tsv manifests.

  Args:
    sources: paths.
    layout: how files and folders are named, one of `layouts.LAYOUTS`; a
      manifest says it itself.

  Raises:
    MediaError: a source is missing or of another layout, a manifest has no
      column `file`, there is no clip at all, or two would get the same id.
  """
  clips = [clip for source in sources for clip in _expand(Path(source), layout)]
  if not clips:
    raise MediaError(f'{", ".join(sources)}: there is no video file in it.')
  names = Counter(clip.id for clip in clips)
  name, count = names.most_common(1)[0]
  if count > 1:
    raise MediaError(f'{count} clips would be named {name}: rename them.')
  for name in names:
    part = re.fullmatch(r'(.+)_\d{3,}', name)
    if part and part[1] in names:
      raise MediaError(
        f'{name} may be a part of {part[1]} or the file of that name: rename '
        'one, or prepare them into two folders.'
      )
  return clips


def _expand(source: Path, layout: str) -> list[Clip]:
  if source.is_dir():
    return [
      _label(path, str(path.relative_to(source)), layout)
      for path in sorted(source.rglob('*'))
      if path.suffix.lower() in VIDEO_SUFFIXES
    ]
  if not source.is_file():
    raise MediaError(f'{source} is not there: check the path.')
  if source.suffix == '.tsv':
    return _read_manifest(source)
  return [_label(source, source.name, layout)]


def _label(path: Path, file: str, layout: str) -> Clip:
  labels = read_labels(path.absolute(), layout)
  if labels is None:
    raise MediaError(
      f'{path} is not named as in {layout}: choose --layout auto or plain, or '
      'list the clips in a table.'
    )
  return Clip(path, file, **labels._asdict())


def _read_manifest(manifest: Path) -> list[Clip]:
  """Reads a .tsv with a header; only the column `file` is required.

  Files lie beside the manifest, or in `video/` beside it.
  """
  with open(manifest, newline='', encoding='utf-8') as f:
    rows = list(csv.DictReader(f, delimiter='\t'))
  decided = 'train' if rows and 'split' in rows[0] else ''
  if rows and 'file' not in rows[0]:
    raise MediaError(f'{manifest} has no column `file`: add one.')
  clips = []
  for row in rows:
    beside = manifest.parent / row['file']
    in_video = manifest.parent / 'video' / row['file']
    clips.append(
      Clip(
        path=in_video if in_video.is_file() else beside,
        file=row['file'],
        person=row.get('person') or Path(row['file']).stem,
        emotion=row.get('emotion') or '-',
        speech=row.get('speech') or '-',
        split=row.get('split') or decided,
        lag_ms=_number(row.get('audio_lag_ms')),
        level=row.get('level') or '-',
      )
    )
  return clips


def _number(text: str | None) -> float:
  """'+40' -> 40.0; what is no number ('-', '', None) -> 0.0."""
  try:
    return float(text or 0)
  except ValueError:
    return 0.0
