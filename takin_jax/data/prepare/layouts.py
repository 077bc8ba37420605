"""What the folders and names of known data sets say about a video.

In: the path of a video. Out: who it shows, the emotion and its level, and the
file with its sound where that lies apart. Sources: the folders as published
with VoxCeleb2 (arXiv 1806.05622), HDTF (Zhang et al., CVPR 2021) and MEAD
(Wang et al., ECCV 2020).
"""

from collections.abc import Callable
from pathlib import Path
import re
from typing import NamedTuple

LAYOUTS = ('auto', 'plain', 'voxceleb', 'hdtf', 'mead')
EMOTIONS = ('neutral', 'happy', 'sad', 'angry')
EMOTIONS += ('surprised', 'disgusted', 'fear', 'contempt')

# M003/video/front/angry/level_3/001.mp4
_MEAD = re.compile(
  r'(?P<person>[MW]\d{3})/video/\w+/'
  rf'(?P<emotion>{"|".join(EMOTIONS)})/level_(?P<level>[1-3])/\d+\.\w+$'
)
# mp4/id00012/21Uxsk56VDQ/00001.mp4; also id00012#21Uxsk56VDQ#00001#00090.mp4
_VOXCELEB = re.compile(
  r'(?:^|/)(?P<person>id\d{5})[/#][\w-]{11}[/#][\d#]+\.\w+$'
)
# RD_Radio34_002.mp4 and WDA_NancyPelosi1_000.mp4. The number behind the name
# of a politician counts the videos of one person, that of a radio show its
# guests.
_HDTF = re.compile(
  r'(?:^|/)(?P<person>RD_[A-Za-z]+\d*|W[DR]A_[A-Za-z]+)\d*(?:_\d{3}\w*)?\.\w+$'
)
_SOUND_SUFFIXES = ('.m4a', '.wav', '.aac', '.mp3')


class Labels(NamedTuple):
  """What a path says.

  Attributes:
    person: who the video shows.
    emotion: one of EMOTIONS, or '-'.
    level: strength of the emotion, '1' to '3', or '-'.
    speech: 'yes' or '-' (unknown).
    sound: the file with its sound; None: the video itself.
  """

  person: str
  emotion: str = '-'
  level: str = '-'
  speech: str = '-'
  sound: Path | None = None


def read_labels(path: Path, layout: str = 'auto') -> Labels | None:
  """Labels of a video.

  Args:
    path: its path; its folders count.
    layout: one of LAYOUTS; 'auto' takes the first that fits.

  Returns:
    The labels; None if the path does not fit the layout.
  """
  if layout != 'auto':
    return _READERS[layout](path)
  readings = (_READERS[name](path) for name in ('mead', 'voxceleb', 'hdtf'))
  return next(filter(None, readings), None) or _plain(path)


def _plain(path: Path) -> Labels:
  return Labels(path.stem)


def _mead(path: Path) -> Labels | None:
  found = _MEAD.search(path.as_posix())
  if not found:
    return None
  level_dir = path.parent
  person = level_dir.parents[3]
  sound = person / 'audio' / found['emotion'] / level_dir.name / path.name
  return Labels(**found.groupdict(), speech='yes', sound=_beside(sound))


def _voxceleb(path: Path) -> Labels | None:
  found = _VOXCELEB.search(path.as_posix())
  if not found:
    return None
  sound = None
  if len(path.parts) > 3 and path.parts[-4] == 'mp4':
    sound = _beside(path.parents[3].joinpath('aac', *path.parts[-3:]))
  return Labels(found['person'], speech='yes', sound=sound)


def _hdtf(path: Path) -> Labels | None:
  found = _HDTF.search(path.as_posix())
  return Labels(found['person'], speech='yes') if found else None


def _beside(path: Path) -> Path | None:
  """The sound file of this name, whatever its format."""
  files = (path.with_suffix(suffix) for suffix in _SOUND_SUFFIXES)
  return next((file for file in files if file.is_file()), None)


_READERS: dict[str, Callable[[Path], Labels | None]] = {
  'plain': _plain,
  'voxceleb': _voxceleb,
  'hdtf': _hdtf,
  'mead': _mead,
}
